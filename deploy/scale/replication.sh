#!/bin/bash
# Run once by the primary's image, when its data directory is made: who may follow it.
set -euo pipefail
psql --set ON_ERROR_STOP=1 --set password="$REPLICATION_PASSWORD" --username "$POSTGRES_USER" \
	--dbname "$POSTGRES_DB" <<-'SQL'
	CREATE ROLE replicator REPLICATION LOGIN PASSWORD :'password';
SQL
echo "host replication replicator all scram-sha-256" >>"$PGDATA/pg_hba.conf"
