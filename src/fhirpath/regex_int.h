/* SPDX-License-Identifier: MIT */
/* Regular expressions by PCRE2, in arenas and under limits. They see characters of UTF-8; a dot
 * meets line ends too (FHIRPath N1, matches: "single-line mode"). */
#ifndef CARELAYER_FHIRPATH_REGEX_INT_H
#define CARELAYER_FHIRPATH_REGEX_INT_H

#include "base/base.h"

struct regex; /* read-only, as long-lived as its arena */

/* WHOLE: it must meet all of the text. STATUS_INVALID: not a regular expression. */
MUST_CHECK enum status regex_compile(struct slice pattern, bool whole, struct arena *arena,
                                     const struct regex **ret_regex);

/* STATUS_TOO_COSTLY: more steps than a million, or no memory. */
MUST_CHECK enum status regex_match(const struct regex *regex, struct slice text,
                                   struct arena *arena, bool *ret_matches);

/* Every match replaced; $1 and ${name} in BY are what the groups met, $$ is a dollar.
 * STATUS_INVALID: BY names a group that is not there. */
MUST_CHECK enum status regex_replace(const struct regex *regex, struct slice text, struct slice by,
                                     struct buffer *out);

#endif
