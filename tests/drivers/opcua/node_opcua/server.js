// A server made of node-opcua, for the tests beside this file. Settings come as JSON in the only argument:
// port, folder (for its certificates), user and password, itemsPerCall, itemsPerSubscription, sessions.
// Commands come as JSON arrays, one a line, on standard input; each is answered with one JSON line.
"use strict";

const {
    DataType, MessageSecurityMode, OPCUACertificateManager, OPCUAServer, SecurityPolicy, StatusCodes, Variant,
} = require("node-opcua");

const settings = JSON.parse(process.argv[2]);
const variables = new Map();
let server;
let namespace;

const commands = {
    // Make the variable `name` if there is none, and give it a value with a source time (ms since 1970).
    put(name, value, time, type) {
        const sourceTime = time ? new Date(time) : new Date();
        const variant = new Variant({ dataType: DataType[type || "Double"], value });
        if (!variables.has(name)) {
            variables.set(name, namespace.addAnalogDataItem({
                organizedBy: server.engine.addressSpace.rootFolder.objects,
                browseName: name,
                nodeId: `s=${name}`,
                dataType: type || "Double",
                engineeringUnitsRange: { low: 0, high: 1000 },
                minimumSamplingInterval: 10,
                value: variant,
            }));
        }
        variables.get(name).setValueFromSource(variant, StatusCodes.Good, sourceTime);
    },
    remove(name) {
        server.engine.addressSpace.deleteNode(variables.get(name));
        variables.delete(name);
    },
    // Whether every monitored item of the variable has its newest value.
    sampled(name) {
        const newest = variables.get(name).readValue().value.value;
        let all = true;
        eachSubscription((subscription) => Object.values(subscription.monitoredItems).forEach((item) => {
            if (item.node === variables.get(name)) all &&= item.oldDataValue.value?.value === newest;
        }));
        return all;
    },
    sessions: () => server.engine.currentSessionCount,
    subscriptions: () => server.engine.currentSubscriptionCount,
    // Have every monitored item look at its node no longer.
    stick: () => eachSubscription((subscription) =>
        Object.values(subscription.monitoredItems).forEach((item) => item._stop_sampling())),
    end_sessions: () => Object.values(server.engine._sessions).forEach((session) =>
        server.engine.closeSession(session.authenticationToken, false, "Timeout")),
    // Queue size, sampling interval and kind of dead-band as the server has them, of every monitored item.
    items() {
        const told = [];
        eachSubscription((subscription) => Object.values(subscription.monitoredItems).forEach((item) => told.push({
            queue: item.queueSize, sampling: item.samplingInterval,
            deadband: item.filter ? item.filter.deadbandValue : null,
        })));
        return told;
    },
};

function eachSubscription(action) {
    Object.values(server.engine._sessions).forEach((session) =>
        session.publishEngine.subscriptions.forEach(action));
}

async function main() {
    const certificates = new OPCUACertificateManager({
        rootFolder: settings.folder, automaticallyAcceptUnknownCertificate: true,
    });
    await certificates.initialize();
    server = new OPCUAServer({
        port: settings.port,
        hostname: "127.0.0.1",
        resourcePath: "/machines",
        serverCertificateManager: certificates,
        securityModes: [MessageSecurityMode.None, MessageSecurityMode.SignAndEncrypt],
        securityPolicies: [SecurityPolicy.None, SecurityPolicy.Basic256Sha256],
        allowAnonymous: !settings.user,
        userManager: {
            isValidUser: (user, password) => user === settings.user && password === settings.password,
        },
        maxConnectionsPerEndpoint: 10,
        serverCapabilities: {
            maxSessions: settings.sessions || 10,
            maxMonitoredItemsPerSubscription: settings.itemsPerSubscription || 10000,
            operationLimits: {
                maxMonitoredItemsPerCall: settings.itemsPerCall || 1000, maxNodesPerRead: settings.itemsPerCall || 1000,
            },
        },
    });
    await server.initialize();
    namespace = server.engine.addressSpace.getOwnNamespace();
    for (const [name, value] of Object.entries(settings.values || {})) commands.put(name, value);
    await server.start();
    say({ port: server.endpoints[0].port, namespace: namespace.namespaceUri });
    require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
        const [command, ...rest] = JSON.parse(line);
        const answer = commands[command](...rest);
        say(answer === undefined ? null : answer);
    }).on("close", () => process.exit(0));
}

function say(answer) {
    process.stdout.write(`${JSON.stringify(answer)}\n`);
}

main().catch((error) => { console.error(error); process.exit(1); });
