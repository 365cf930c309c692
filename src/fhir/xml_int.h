/* SPDX-License-Identifier: MIT */
/* Reading XML, inside: xml_read.c hears what the parser finds, xml_build.c makes values of it,
 * xml_narrative.c keeps the XHTML. */
#ifndef CARELAYER_FHIR_XML_INT_H
#define CARELAYER_FHIR_XML_INT_H

#include "fhir/fhir.h"

#define XML_NO_VALUE UINT32_MAX

/* What an open element is to become. */
enum xml_kind {
    XML_OBJECT,    /* a resource, or an element of a complex type */
    XML_PRIMITIVE, /* a value, and perhaps the object beside it: `_name` */
    XML_HOLDER     /* an element that holds one resource: contained, Bundle.entry.resource */
};

struct xml_frame {
    enum xml_kind kind;
    const struct type_row *type;       /* of the object; of XML_PRIMITIVE, of the one beside it */
    const struct element_row *element; /* by which it is a member; NULL: a resource */
    size_t start, name_at;             /* of the tag, and of its local name, in the text */
    uint32_t index;                    /* among those of the same name */
    uint32_t object;                   /* its place in values, or XML_NO_VALUE */
    uint32_t members;
    uint32_t depth; /* of containers in JSON, itself included */
    bool content;   /* more than an id */
    bool valued;    /* XML_PRIMITIVE: has a value; XML_HOLDER: has its resource */

    uint64_t met;                   /* groups */
    uint8_t group;                  /* the last of them */
    const struct element_row *open; /* the member that may still go on; NULL: none */
    uint32_t open_array;            /* its array's place in values, or XML_NO_VALUE */
    uint32_t open_items;            /* in that array */
    uint32_t open_values;           /* of these not null */
    uint32_t first_chunk;
    size_t open_name_at;
};

/* The object beside an item of an array of primitives: it is made between the values, where it is
 * read, and moved behind them when the array ends. */
struct xml_chunk {
    uint32_t item;
    uint32_t start, length; /* in values */
};

struct xml_attribute {
    struct slice name;
    struct slice value; /* valid while the tag is looked at */
    size_t at;          /* of the value in the text */
    bool plain;         /* without a namespace */
};

#define XML_ATTRIBUTES_MOST 8

enum xml_namespace { XML_NAMESPACE_FHIR, XML_NAMESPACE_XHTML, XML_NAMESPACE_OTHER };

struct xml_tag {
    struct slice name; /* without prefix */
    enum xml_namespace space;
    bool prefixed;
    bool declares; /* its own default namespace, and no other */
    bool plain;    /* declares nothing */
    size_t start;  /* of the '<' in the text */
    size_t name_at;
    const struct xml_attribute *attributes;
    size_t attribute_count; /* all of them, XML_ATTRIBUTES_MOST of which are listed */
};

struct xml_narrative {
    uint32_t depth; /* open elements; 0: not in a narrative */
    size_t start;
    bool rewriting;     /* it cannot stay as it is: prefixes, or a namespace from further up */
    bool tag_open;      /* rewriting: the last start tag lacks its '>' */
    struct buffer text; /* rewriting */
};

struct xml_reader {
    const struct definitions *definitions;
    const struct element_tables *tables;
    const struct json_limits *limits;
    struct arena *arena;
    struct outcome *outcome;
    struct json *json;
    void *parser;
    /* Strings stand in it at the offset they have in the text, as json_position expects; decoding
     * never makes them longer, and the NUL behind each has the place of a quote or bracket. */
    char *pool;

    yyjson_val *values;
    uint32_t count, capacity;
    struct xml_frame *frames;
    uint32_t frame_count, frame_limit;
    uint32_t depth_limit;
    struct xml_chunk *chunks;
    uint32_t chunk_count, chunk_capacity;
    uint32_t skipped; /* open elements of a part that is passed over */
    struct xml_narrative narrative;
    enum status status; /* of the first problem */
    bool stopped;       /* nothing more is heard */
};

/* Adds an issue at ELEMENT (NULL: FRAME itself; FRAME NULL: the whole); TEXT lives as long as the
 * program or the outcome's arena. */
void xml_report(struct xml_reader *reader, const struct xml_frame *frame,
                const struct element_row *element, size_t offset, const char *rule,
                const char *text);

/* printf for the text of an issue; no values from the document. */
const char *xml_say(struct xml_reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Ends the reading: nothing that was read is of use. */
void xml_stop(struct xml_reader *reader, enum status status);

/* A tag of a resource (not in narrative, not skipped), and its end. */
void xml_build_start(struct xml_reader *reader, const struct xml_tag *tag);
void xml_build_end(struct xml_reader *reader);

/* Starts the narrative at the div TAG, which becomes a member of FRAME; then its tags, text (as
 * decoded) and ends. END is where the end tag ends in the text. */
void xml_narrative_begin(struct xml_reader *reader, const struct xml_tag *tag);
void xml_narrative_start(struct xml_reader *reader, const struct xml_tag *tag);
void xml_narrative_attribute(struct xml_reader *reader, const struct xml_attribute *attribute,
                             struct slice prefix);
void xml_narrative_text(struct xml_reader *reader, struct slice text);
void xml_narrative_end(struct xml_reader *reader, struct slice name, size_t end);

/* Adds member `div` to the open frame. */
void xml_build_narrative(struct xml_reader *reader, const char *text, size_t length);

#endif
