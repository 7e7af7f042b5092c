"""InfluxDB uplink: what the journal holds, as points in a database of the plant."""
