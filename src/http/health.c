/* SPDX-License-Identifier: MIT */
/* /healthz and /metrics: for who operates the server; nothing of a record is in them. */
#include "http_int.h"

/* 503 only when nothing can be answered: with a full disk reading goes on. */
static void write_health(struct request *request)
{
    struct service *service = request->service;
    struct audit_statistics log = {0};
    struct store_statistics store = {0};
    bool store_fine = true;
    if (service->audit != NULL) {
        audit_statistics(service->audit, &log);
    }
    if (service->store != NULL) {
        store_fine = store_statistics(service->store, &store) == STATUS_OK;
    }
    const char *log_state = log.failing ? "failing" : "ok";
    const char *store_state = !store_fine ? "failing" : store.full ? "full" : "ok";
    bool fine = store_fine && !log.failing;
    struct response *response = &request->response;
    response->http = fine ? 200 : 503;
    response->content_type = "application/json";
    buffer_print(&response->body, "{\"status\":\"%s\",\"store\":\"%s\",\"log\":\"%s\"}\n",
                 fine ? "ok" : "failing", store_state, log_state);
}

static void run(void *context, struct store_reader *reader)
{
    struct connection *connection = context;
    struct request *request = connection->request;
    request->reader = reader;
    if (connection->route == ROUTE_HEALTH) {
        write_health(request);
    } else {
        request->response.http = 200;
        request->response.content_type = "text/plain; version=0.0.4; charset=utf-8";
        metrics_write(request->service, &request->response.body);
    }
    loop_resume(request);
}

void health_answer(struct connection *connection)
{
    enum method method = connection->request->method;
    if (method != METHOD_GET && method != METHOD_HEAD) {
        response_add_header(connection->request, "Allow", SLICE("GET, HEAD"));
        answer_problem(connection, 405, "not-supported", "This can only be read.");
        return;
    }
    connection_submit(connection, TASK_ANSWER, run);
}
