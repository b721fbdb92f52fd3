#!/bin/bash
# What the replica's container runs: a copy of the primary when it has none, then PostgreSQL.
set -euo pipefail
if [ ! -s "$PGDATA/PG_VERSION" ]; then
	PGPASSWORD=$REPLICATION_PASSWORD pg_basebackup --write-recovery-conf --checkpoint fast \
		--create-slot --slot replica --pgdata "$PGDATA" \
		--dbname "host=primary user=replicator password=$REPLICATION_PASSWORD application_name=replica"
	chmod 0700 "$PGDATA"
fi
exec postgres -c hot_standby_feedback=on
