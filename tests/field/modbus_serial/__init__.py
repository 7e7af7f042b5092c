"""A Modbus TCP server from npm's modbus-serial, which has nothing in common with ours."""
