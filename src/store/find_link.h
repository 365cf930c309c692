/* SPDX-License-Identifier: MIT */
/* store, finding: what a clause that holds queries is while it is answered. Only find_link.c and
 * find_forward.c include this. */
#ifndef CARELAYER_STORE_FIND_LINK_H
#define CARELAYER_STORE_FIND_LINK_H

#include "find_int.h"

#define LINK_CACHE 1024

enum link_state {
    LINK_OPEN,  /* forward may go on */
    LINK_SET,   /* all targets are known, but too many places lead to them for a list */
    LINK_NEVER, /* too many targets: only following is left */
    LINK_DONE   /* it is a stream */
};

struct branch {
    const struct store_query *query;
    struct search *follow, *forward; /* asked of one place; gives all matches, once it is settled */
    bool settled;
    uint32_t parameter; /* reverse: of the query's type */
    const struct search_parameter *reference;
    struct stream *slot; /* reverse: what refers to the candidate, among follow's streams */
    bool by_home;        /* reverse: what a match refers to, most likely its patient, it may only
                            once: the tree tells, and is smaller than the rows */
};

/* An answer about a target, remembered. */
struct answer {
    int64_t entity; /* 0: none */
    bool match;
};

struct link {
    enum link_state state;
    bool by_homes;      /* reverse: a stream has the patients who may be meant */
    uint32_t parameter; /* chain: of the candidate's type */
    struct branch *branches;
    size_t branch_count;
    struct answer *answers;
    struct number_set targets; /* chain: numbers of targets; else places */
    struct number_set strange; /* reverse: targets known to be none of ours */
    size_t branch_at;          /* forward: how far it is */
    int64_t at;
    uint64_t spent;
    struct stream inside;     /* chain: places that may refer to a resource contained in them */
    bool contains;            /* there are such */
    int64_t inside_at;        /* forward: how far it is */
    struct number_set places; /* forward: those of them that match */
    struct number_list found; /* forward, reverse, on a server: matches still to be asked about */
};

/* By what the body of the resource at RID refers to inside itself: is one of these a match? */
MUST_CHECK enum status link_follow_contained(struct search *search, const struct test *test,
                                             int64_t rid, bool *ret_match);

#endif
