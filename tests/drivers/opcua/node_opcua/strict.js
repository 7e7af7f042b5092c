// node-opcua's server with strict trust: clients and users by certificate are let in only once somebody has
// moved their certificate from rejected/ to trusted/certs/. Arguments: the folder for its certificates, the port.
const {
  DataType, OPCUACertificateManager, OPCUAServer, Variant,
} = require("node-opcua");

async function main(folder, port) {
  const manager = (name) => new OPCUACertificateManager({
    rootFolder: `${folder}/${name}`, automaticallyAcceptUnknownCertificate: false,
  });
  const [clients, users] = [manager("clients"), manager("users")];
  await clients.initialize();
  await users.initialize();
  const server = new OPCUAServer({
    port,
    host: "127.0.0.1",
    resourcePath: "/machines",
    serverCertificateManager: clients,
    userCertificateManager: users,
    allowAnonymous: false,
    userManager: { isValidUser: (name, password) => name === "operator" && password === "geheim-4711" },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  const own = space.registerNamespace("http://example.com/machines");
  own.addVariable({
    organizedBy: space.rootFolder.objects,
    nodeId: "s=A.t",
    browseName: "A.t",
    dataType: "Double",
    value: new Variant({ dataType: DataType.Double, value: 1 }),
  });
  await server.start();
  console.log(`listening on ${server.endpoints[0].port}`);
}

main(process.argv[2], Number(process.argv[3]));
