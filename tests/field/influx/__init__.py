"""The InfluxDB uplink against a real influxd, and against what newer ones answer."""
