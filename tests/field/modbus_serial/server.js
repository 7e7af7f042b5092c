// Serves unit 1 and 2 by modbus-serial; unit 3 answers nothing. Given a port; says when it is ready. Values are known to
// the test.
"use strict";
const { ServerTCP } = require("modbus-serial");

const vector = {
    getHoldingRegister: (address, unit) => {
        if (unit === 3) return new Promise(() => {});
        if (address >= 500) throw { modbusErrorCode: 2, msg: "no such register" };
        return (address * 7 + unit) % 65536;
    },
    getInputRegister: (address, unit) => (address + 1000 * unit) % 65536,
    getCoil: (address) => address % 3 === 0,
    getDiscreteInput: (address) => address % 5 === 0,
    setRegister: () => { console.log("WRITE"); },
    setRegisterArray: () => { console.log("WRITE"); },
    setCoil: () => { console.log("WRITE"); },
    setCoilArray: () => { console.log("WRITE"); },
};

const server = new ServerTCP(vector, { host: "127.0.0.1", port: Number(process.argv[2]), unitID: 255 });
server.on("initialized", () => console.log("ready"));
server.on("socketError", () => {});
