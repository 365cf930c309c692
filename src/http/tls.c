/* SPDX-License-Identifier: MIT */
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>

#include "http_int.h"

/* Forward secrecy and authenticated encryption only (RFC 9325, 4.2). */
#define TLS12_CIPHERS                                                                              \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"     \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *length,
                           const unsigned char *in, unsigned int in_length, void *context)
{
    static const unsigned char ours[] = "\x08http/1.1";
    (void)ssl;
    (void)context;
    unsigned char *found = NULL;
    if (SSL_select_next_proto(&found, length, ours, sizeof(ours) - 1, in, in_length) !=
        OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = found;
    return SSL_TLSEXT_ERR_OK;
}

static enum status load(SSL_CTX *tls, const struct config *config, struct outcome *outcome)
{
    if (SSL_CTX_use_certificate_chain_file(tls, config->tls_certificate) != 1) {
        return outcome_fail(outcome, STATUS_VALUE, "tls-certificate",
                            "The file cannot be read as a PEM certificate chain.");
    }
    if (SSL_CTX_use_PrivateKey_file(tls, config->tls_key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(tls) != 1) {
        return outcome_fail(outcome, STATUS_VALUE, "tls-key",
                            "The file cannot be read as the PEM key of the certificate.");
    }
    return STATUS_OK;
}

enum status tls_open(const struct config *config, struct outcome *outcome, SSL_CTX **ret_tls)
{
    bool certificate = config->tls_certificate[0] != '\0';
    bool key = config->tls_key[0] != '\0';
    *ret_tls = NULL;
    if (certificate != key) {
        return outcome_fail(outcome, STATUS_REQUIRED, certificate ? "tls-key" : "tls-certificate",
                            "Give tls-certificate and tls-key together.");
    }
    if (!certificate) {
        return STATUS_OK;
    }
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    if (tls == NULL || SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(tls, TLS12_CIPHERS) != 1) {
        SSL_CTX_free(tls);
        return outcome_fail(outcome, STATUS_INTERNAL, "", "OpenSSL cannot be set up.");
    }
    SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(tls, select_protocol, NULL);
    enum status status = load(tls, config, outcome);
    ERR_clear_error();
    if (status != STATUS_OK) {
        SSL_CTX_free(tls);
        return status;
    }
    *ret_tls = tls;
    return STATUS_OK;
}

/* Callbacks are deferred: OpenSSL's bufferevent would otherwise call them from inside a write, and
 * end the connection under the hands of whoever writes. */
struct bufferevent *tls_accept(SSL_CTX *tls, struct event_base *base, int fd)
{
    SSL *ssl = SSL_new(tls);
    if (ssl == NULL) {
        return NULL;
    }
    struct bufferevent *socket = bufferevent_openssl_socket_new(
        base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    if (socket == NULL) {
        SSL_free(ssl);
        return NULL;
    }
    bufferevent_openssl_set_allow_dirty_shutdown(socket, 1);
    return socket;
}
