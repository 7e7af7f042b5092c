"""The monthly report (月度报告): what is handed in on paper and as tables, made of statements of record."""
