/* SPDX-License-Identifier: MIT */
/* The web apps' files, and everything over TLS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "client.h"
#include "walk.h"

#define HOST "Host: localhost\r\n"

static struct test_server server;
static char folder[64];
static const char *apps;

static void write_file(const char *name, const char *text, size_t times)
{
    FILE *file = fopen(arena_print(server.arena, "%s/%s", folder, name), "w");
    assert_non_null(file);
    for (size_t i = 0; i < times; i++) {
        fputs(text, file);
    }
    fclose(file);
}

static void make_folder(const char *name)
{
    assert_int_equal(mkdir(arena_print(server.arena, "%s/%s", folder, name), 0700), 0);
}

/* A self-signed certificate for localhost. */
static void write_certificate(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1,
                               0);
    X509_set_issuer_name(certificate, name);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    FILE *file = fopen(arena_print(server.arena, "%s/key.pem", folder), "w");
    assert_non_null(file);
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    file = fopen(arena_print(server.arena, "%s/cert.pem", folder), "w");
    assert_non_null(file);
    PEM_write_X509(file, certificate);
    fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static int prepare(void **state)
{
    (void)state;
    server_prepare(&server);
    snprintf(folder, sizeof(folder), "%s/carelayer-apps-XXXXXX", P_tmpdir);
    assert_non_null(mkdtemp(folder));
    make_folder("apps");
    make_folder("apps/record");
    make_folder("apps/record/deep");
    write_file("apps/record/index.html", "<!doctype html><p>record</p>\n", 1);
    write_file("apps/record/app.js", "export const answer = 42;\n", 200);
    write_file("apps/record/deep/style.css", "p { color: black }\n", 1);
    write_file("apps/record/.secret", "hidden", 1);
    write_file("outside.txt", "outside", 1);
    write_certificate();
    apps = arena_print(server.arena, "%s/apps", folder);
    server.config.apps = apps;
    return 0;
}

static int start(void **state)
{
    prepare(state);
    server_start(&server);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    static const char *const names[] = {"apps/record/index.html",
                                        "apps/record/app.js",
                                        "apps/record/deep/style.css",
                                        "apps/record/.secret",
                                        "outside.txt",
                                        "key.pem",
                                        "cert.pem",
                                        "apps/record/deep",
                                        "apps/record",
                                        "apps",
                                        ""};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        remove(arena_print(server.arena, "%s/%s", folder, names[i]));
    }
    server_stop(&server);
    return 0;
}

static struct answer get(const char *path, const char *fields)
{
    char text[512];
    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n" HOST "%s\r\n", path, fields);
    return client_ask(server.port, text);
}

static void assert_http(const char *path, int http)
{
    struct answer answer = get(path, "");
    if (answer.http != http) {
        print_error("%s: %d\n", path, answer.http);
    }
    assert_int_equal(answer.http, http);
    answer_free(&answer);
}

static void serves_files_with_their_types_and_guards(void **state)
{
    (void)state;
    struct answer answer = get("/apps/record/", "");
    assert_int_equal(answer.http, 200);
    assert_string_equal(answer_header(&answer, "Content-Type"), "text/html; charset=utf-8");
    assert_non_null(
        strstr(answer_header(&answer, "Content-Security-Policy"), "default-src 'self'"));
    assert_non_null(
        strstr(answer_header(&answer, "Content-Security-Policy"), "frame-ancestors 'none'"));
    const char *policy = strstr(answer.head, "Content-Security-Policy");
    assert_null(strstr(policy + 1, "Content-Security-Policy")); /* of two, both would hold */
    assert_string_equal(answer_header(&answer, "X-Content-Type-Options"), "nosniff");
    assert_string_equal(answer_header(&answer, "Referrer-Policy"), "no-referrer");
    assert_string_equal(answer_header(&answer, "Cache-Control"), "no-cache");
    assert_string_equal(answer.body, "<!doctype html><p>record</p>\n");
    answer_free(&answer);
    answer = get("/apps/record/deep/style.css", "");
    assert_string_equal(answer_header(&answer, "Content-Type"), "text/css; charset=utf-8");
    answer_free(&answer);
}

static void packs_files_and_knows_unchanged_ones(void **state)
{
    (void)state;
    struct answer answer = get("/apps/record/app.js", "Accept-Encoding: gzip\r\n");
    assert_int_equal(answer.http, 200);
    assert_string_equal(answer_header(&answer, "Content-Encoding"), "gzip");
    assert_true(answer.length < 1000);
    char tag[200];
    snprintf(tag, sizeof(tag), "If-None-Match: \"x\", %s\r\n", answer_header(&answer, "ETag"));
    answer_free(&answer);
    answer = get("/apps/record/app.js", tag);
    assert_int_equal(answer.http, 304);
    answer_free(&answer);
    answer = get("/apps/record/", tag);
    assert_int_equal(answer.http, 200);
    answer_free(&answer);
}

static void redirects_to_the_page(void **state)
{
    (void)state;
    struct answer answer = get("/", "");
    assert_int_equal(answer.http, 302);
    assert_string_equal(answer_header(&answer, "Location"), "/apps/record/");
    answer_free(&answer);
    answer = get("/apps/record", "");
    assert_int_equal(answer.http, 302);
    assert_string_equal(answer_header(&answer, "Location"), "/apps/record/");
    answer_free(&answer);
}

static void serves_nothing_else(void **state)
{
    (void)state;
    static const char *const paths[] = {"/apps/record/../../outside.txt",
                                        "/apps/record/%2e%2e/%2e%2e/outside.txt",
                                        "/apps/../outside.txt",
                                        "/apps/record/.secret",
                                        "/apps/record/none.js",
                                        "/apps//record/index.html",
                                        "/apps/record/deep",
                                        "/favicon.ico",
                                        "/fhirx",
                                        "/appsx/record/"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_http(paths[i], 404);
    }
    assert_http("/apps/record%2findex.html", 400);
    struct answer answer =
        client_ask(server.port, "POST /apps/record/ HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n");
    assert_int_equal(answer.http, 405);
    assert_string_equal(answer_header(&answer, "Allow"), "GET, HEAD");
    answer_free(&answer);
}

/* ---- TLS ------------------------------------------------------------------------------------ */

static SSL *connect_tls(SSL_CTX *tls, int *ret_fd)
{
    *ret_fd = client_connect(server.port);
    const struct timeval patience = {.tv_sec = 5};
    setsockopt(*ret_fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    SSL *ssl = SSL_new(tls);
    SSL_set_fd(ssl, *ret_fd);
    return ssl;
}

static size_t read_tls(SSL *ssl, char *to, size_t length)
{
    size_t got = 0;
    while (got < length) {
        int more = SSL_read(ssl, to + got, (int)(length - got));
        if (more <= 0) {
            break;
        }
        got += (size_t)more;
    }
    return got;
}

static void start_tls(void)
{
    void *none = NULL;
    prepare(&none);
    server.config.tls_certificate = arena_print(server.arena, "%s/cert.pem", folder);
    server.config.tls_key = arena_print(server.arena, "%s/key.pem", folder);
    server.config.header_timeout = 1;
    server_start(&server);
}

static void speaks_tls_and_keeps_the_connection(void **state)
{
    start_tls();
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    int fd = -1;
    SSL *ssl = connect_tls(tls, &fd);
    assert_int_equal(SSL_connect(ssl), 1);
    static char bytes[3000000 + 2000];
    for (int i = 0; i < 2; i++) {
        static const char ask[] = "GET /fhir/Binary/pull?3000000 HTTP/1.1\r\n" HOST "\r\n";
        assert_int_equal(SSL_write(ssl, ask, sizeof(ask) - 1), sizeof(ask) - 1);
        size_t head = 0;
        while (head < 4 || memcmp(bytes + head - 4, "\r\n\r\n", 4) != 0) {
            assert_int_equal(SSL_read(ssl, bytes + head, 1), 1);
            head++;
        }
        bytes[head] = '\0';
        assert_non_null(strstr(bytes, "HTTP/1.1 200"));
        assert_non_null(strstr(bytes, "Strict-Transport-Security:"));
        assert_int_equal(read_tls(ssl, bytes, 3000000), 3000000);
        for (size_t at = 0; at < 3000000; at += 997) {
            assert_int_equal(bytes[at], walk_byte(at));
        }
    }
    static const char bad[] = "GET /fhir/quick HTTP/1.1\r\nHost : a\r\n\r\n";
    SSL_write(ssl, bad, sizeof(bad) - 1);
    bytes[read_tls(ssl, bytes, 2000)] = '\0'; /* ends because the server closes */
    assert_non_null(strstr(bytes, "HTTP/1.1 400"));
    SSL_free(ssl);
    close(fd);
    SSL_CTX_free(tls);
    stop(state);
}

static void refuses_old_tls_and_plain_text(void **state)
{
    start_tls();
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(tls, 0);
    SSL_CTX_set_min_proto_version(tls, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(tls, TLS1_1_VERSION);
    int fd = -1;
    SSL *ssl = connect_tls(tls, &fd);
    assert_int_not_equal(SSL_connect(ssl), 1);
    SSL_free(ssl);
    close(fd);
    fd = client_connect(server.port);
    client_send_text(fd, "GET /fhir/quick HTTP/1.1\r\n" HOST "\r\n");
    assert_true(client_sees_close(fd, 3000));
    close(fd);
    fd = client_connect(server.port); /* a handshake that never comes */
    assert_true(client_sees_close(fd, 3000));
    close(fd);
    SSL_CTX_free(tls);
    stop(state);
}

static void says_what_is_wrong_with_the_certificate(void **state)
{
    prepare(state);
    int port = 0;
    server.config.tls_certificate = arena_print(server.arena, "%s/cert.pem", folder);
    assert_int_equal(http_start(&server.service, &server.outcome, &server.http, &port),
                     STATUS_REQUIRED);
    server.config.tls_key = server.config.tls_certificate;
    assert_int_equal(http_start(&server.service, &server.outcome, &server.http, &port),
                     STATUS_VALUE);
    assert_null(server.http);
    stop(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(serves_files_with_their_types_and_guards, start, stop),
        cmocka_unit_test_setup_teardown(packs_files_and_knows_unchanged_ones, start, stop),
        cmocka_unit_test_setup_teardown(redirects_to_the_page, start, stop),
        cmocka_unit_test_setup_teardown(serves_nothing_else, start, stop),
        cmocka_unit_test(speaks_tls_and_keeps_the_connection),
        cmocka_unit_test(refuses_old_tls_and_plain_text),
        cmocka_unit_test(says_what_is_wrong_with_the_certificate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
