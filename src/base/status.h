/* SPDX-License-Identifier: MIT */
/* The status table: every function that can fail answers one of these, and the caller must look.
 * A row names the C constant, the HTTP status (RFC 9110) it becomes at the door, and the code of
 * the OperationOutcome issue (FHIR R4 value set issue-type). */
#ifndef CARELAYER_BASE_STATUS_H
#define CARELAYER_BASE_STATUS_H

#define STATUS_TABLE(X)                                                                            \
    X(STATUS_OK, 200, "informational")             /* done */                                      \
    X(STATUS_NOT_MODIFIED, 304, "informational")   /* the caller's copy is current */              \
    X(STATUS_STRUCTURE, 400, "structure")          /* not well formed, or not FHIR's shape */      \
    X(STATUS_INVALID, 400, "invalid")              /* content breaks a rule */                     \
    X(STATUS_VALUE, 400, "value")                  /* a parameter or element has a bad value */    \
    X(STATUS_PARAMETER, 400, "not-supported")      /* a search parameter we do not answer */       \
    X(STATUS_REQUIRED, 400, "required")            /* something necessary is missing */            \
    X(STATUS_LOGIN, 401, "login")                  /* who are you? */                              \
    X(STATUS_FORBIDDEN, 403, "forbidden")          /* you may not */                               \
    X(STATUS_NOT_FOUND, 404, "not-found")          /* there is no such thing */                    \
    X(STATUS_METHOD, 405, "not-supported")         /* not with this method */                      \
    X(STATUS_NOT_ACCEPTABLE, 406, "not-supported") /* no representation the caller accepts */      \
    X(STATUS_TIMEOUT, 408, "timeout")              /* the caller was too slow */                   \
    X(STATUS_CONFLICT, 409, "conflict")            /* it would break what is stored */             \
    X(STATUS_GONE, 410, "deleted")                 /* it was deleted */                            \
    X(STATUS_PRECONDITION, 412, "conflict")        /* If-Match or another condition failed */      \
    X(STATUS_MULTIPLE, 412, "multiple-matches")    /* a condition met several resources */         \
    X(STATUS_TOO_LONG, 413, "too-long")            /* the body is over the limit */                \
    X(STATUS_TOO_COSTLY, 413, "too-costly")        /* it would take too much memory or time */     \
    X(STATUS_MEDIA_TYPE, 415, "not-supported")     /* we do not read this media type */            \
    X(STATUS_RANGE, 416, "value")                  /* range not satisfiable */                     \
    X(STATUS_UNPROCESSABLE, 422, "processing")     /* FHIR, but against a rule or profile */       \
    X(STATUS_BUSINESS_RULE, 422, "business-rule")  /* against a rule of this server */             \
    X(STATUS_TOO_MANY, 429, "throttled")           /* more than one may ask for at a time */       \
    X(STATUS_HEADERS_TOO_LARGE, 431, "too-long")   /* the header section is over the limit */      \
    X(STATUS_NOT_SUPPORTED, 501, "not-supported")  /* we have not built this */                    \
    X(STATUS_BUSY, 503, "throttled")               /* no room now: try again */                    \
    X(STATUS_TRANSIENT, 503, "transient")          /* a part we depend on failed: try again */     \
    X(STATUS_MEMORY, 503, "throttled")             /* no memory within the global budget */        \
    X(STATUS_NO_SPACE, 507, "no-store")            /* the disk is full */                          \
    X(STATUS_IO, 500, "exception")                 /* the disk or a library failed */              \
    X(STATUS_CORRUPT, 500, "exception")            /* stored data fails its own checks */          \
    X(STATUS_INTERNAL, 500, "exception")           /* our bug */

enum status {
#define STATUS_ROW(name, http, issue) name,
    STATUS_TABLE(STATUS_ROW)
#undef STATUS_ROW
        STATUS_COUNT
};

/* Every function that answers a status carries this: an unread status does not compile. */
#define MUST_CHECK __attribute__((warn_unused_result))

/* Leave the function with the status of EXPR unless it is STATUS_OK.
 * This is the only macro that hides a jump. */
#define TRY(expr)                                                                                  \
    do {                                                                                           \
        enum status try_status_ = (expr);                                                          \
        if (try_status_ != STATUS_OK) {                                                            \
            return try_status_;                                                                    \
        }                                                                                          \
    } while (0)

/* The HTTP status code of a row, 200..507. */
int status_http(enum status status);

/* The issue-type code of a row; static text. */
const char *status_issue(enum status status);

/* The C name of a row ("STATUS_GONE"); static text, for logs and tests. */
const char *status_name(enum status status);

#endif
