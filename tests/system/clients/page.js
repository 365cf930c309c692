// SPDX-License-Identifier: MIT
// Follows a search to its last page with fhirclient and prints "id version" of each match.
// usage: node page.js BASE_URL QUERY
'use strict';
const smart = require('fhirclient');

const client = smart(
    { headers: { host: 'localhost' }, url: '/', socket: {} },
    { headersSent: false },
    { get: async () => undefined, set: async (key, value) => value, unset: async () => true },
).client({ serverUrl: process.argv[2] });

client.request(process.argv[3], {
    pageLimit: 0,
    onPage: (bundle) => {
        for (const { resource, search } of bundle.entry ?? []) {
            if (search.mode === 'match') {
                process.stdout.write(`${resource.id} ${resource.meta.versionId}\n`);
            }
        }
    },
}).catch((error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exitCode = 1;
});
