#!/bin/sh
# Starts the planner's PostgreSQL as the user the container runs as; on an empty volume makes the cluster first, with
#   planner_owner  owns the database planner and may do what migrating it takes (fence, clone, see and end sessions),
#                  without being a superuser
#   planner_app    the role of the backend
# whose passwords come from OWNER_PASSWORD and APP_PASSWORD. Needs PGDATA on the volume, a writable /tmp, and an entry
# for its user in /etc/passwd. Arguments are handed to postgres.
set -eu

: "${PGDATA:=/var/lib/postgresql/data/pgdata}"
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
sockets=${SOCKET_DIRECTORY:-/tmp}

initialise() {
  : "${OWNER_PASSWORD:?must be set to make a new database}" "${APP_PASSWORD:?must be set to make a new database}"
  # Made beside its place and moved there when complete: a pod killed half-way leaves nothing that looks finished.
  new=$PGDATA.initialising
  rm -rf "$new"
  echo 'Making a new database cluster'
  "$bin/initdb" -D "$new" -U postgres --encoding=UTF8 --locale=C.UTF-8 --data-checksums \
    --auth-local=trust --auth-host=scram-sha-256 >/dev/null
  cat >>"$new/postgresql.conf" <<EOF
listen_addresses = '*'
unix_socket_directories = '$sockets'
unix_socket_permissions = 0700
EOF
  # The superuser is reachable from inside the container only.
  cat >"$new/pg_hba.conf" <<EOF
local all all trust
host all postgres all reject
host all all all scram-sha-256
EOF
  "$bin/pg_ctl" -D "$new" -o "-c listen_addresses=''" -w -l "$new.log" start >/dev/null || { cat "$new.log"; exit 1; }
  "$bin/psql" -X -q -v ON_ERROR_STOP=1 -h "$sockets" -U postgres -d postgres <<'EOF'
\getenv owner_password OWNER_PASSWORD
\getenv app_password APP_PASSWORD
CREATE ROLE planner_app LOGIN PASSWORD :'app_password';
CREATE ROLE planner_owner LOGIN CREATEDB CREATEROLE PASSWORD :'owner_password';
-- Only who has ADMIN on a role may say whether it can log in.
GRANT planner_app TO planner_owner WITH ADMIN OPTION;
-- To end the sessions of others, to see them at all, and to flush before cloning.
GRANT pg_signal_backend, pg_read_all_stats, pg_checkpoint TO planner_owner;
-- To say, beside the lock, who works on the database.
GRANT CREATE ON DATABASE postgres TO planner_owner;
CREATE DATABASE planner OWNER planner_owner;
REVOKE CONNECT, TEMPORARY ON DATABASE planner FROM PUBLIC;
GRANT CONNECT ON DATABASE planner TO planner_app;
EOF
  "$bin/pg_ctl" -D "$new" -m fast -w stop >/dev/null
  rm -f "$new.log"
  mv "$new" "$PGDATA"
}

server=
# SIGTERM alone would let PostgreSQL wait for its clients to leave by themselves.
stop() {
  if [ -n "$server" ]; then
    kill -INT "$server" 2>/dev/null || true
    return
  fi
  if [ -f "$PGDATA.initialising/postmaster.pid" ]; then "$bin/pg_ctl" -D "$PGDATA.initialising" -m immediate stop; fi
  exit 143
}
trap stop TERM INT

[ -s "$PGDATA/PG_VERSION" ] || initialise
unset OWNER_PASSWORD APP_PASSWORD

"$bin/postgres" -D "$PGDATA" "$@" &
server=$!
status=0
wait "$server" || status=$?
# A signal ends `wait` before the server has ended.
while kill -0 "$server" 2>/dev/null; do
  status=0
  wait "$server" || status=$?
done
exit "$status"
