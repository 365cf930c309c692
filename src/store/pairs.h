/* SPDX-License-Identifier: MIT */
/* store, pairs: rows of a code with a date or a quantity beside it. Only store_int.h includes this.
 */
#ifndef CARELAYER_STORE_PAIRS_H
#define CARELAYER_STORE_PAIRS_H

struct pair {
    resource_type type;
    uint32_t first, second; /* what they stand under in the trees: even */
    enum tree tree;         /* of the second: TREE_DATE or TREE_QUANTITY */
    struct parameter known; /* it has a number like a parameter, and as that it gets ready */
    struct slice name;      /* in the table of parameters: no code begins with a space */
};
/* As parameters_load does for parameters. LAST: the last number given out. */
MUST_CHECK enum status pairs_load(struct store *store, struct connection *connection, bool writing,
                                  uint32_t *last);
/* Is it the name of a pair, kept or not? */
bool pair_is_named(struct slice name);
/* Those that CONNECTION can rely on; NULL: there is none. */
const struct pair *pair_find(const struct connection *connection, uint32_t first, uint32_t second);

/* Has every resource the rows of ROW's pair? */
bool pair_is_ready(const struct store *store, const struct fact *row);

/* The rows of a resource with these values: as facts of TREE_TEXT, in order. */
MUST_CHECK enum status pairs_of_facts(const struct store *store, resource_type type,
                                      const struct facts *facts, struct facts *ret_rows);
/* As facts_exchange. */
MUST_CHECK enum status pairs_exchange(struct connection *connection, resource_type type,
                                      const struct facts *old, int64_t old_rid,
                                      const struct facts *new, int64_t rid, struct arena *arena);
/* The same where rows that OLD should have may be lacking. */
MUST_CHECK enum status pairs_mend(struct connection *connection, resource_type type,
                                  const struct facts *old, const struct facts *new, int64_t rid,
                                  struct arena *arena);

/* A row's text: a code, and then where a date begins, or a quantity cut short. Its order is that of
 * what it stands for. */
struct pair_key {
    char bytes[20];
    size_t length;
};
void pair_add_code(struct pair_key *key, int64_t code);
void pair_add_date(struct pair_key *key, int64_t low);
void pair_add_cut(struct pair_key *key, uint32_t cut);
int64_t pair_read_date(struct slice bytes);
uint32_t pair_read_cut(struct slice bytes);
/* A value is not below what its cut comes to, and below what the next one does. */
uint32_t pair_cut(double value);
double pair_uncut(uint32_t cut);

#endif
