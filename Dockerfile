# All images of the project; `--target` chooses. Builds the same with Docker and with buildah, from Debian packages and
# from what `setup/bundle.ts` has put into dist: nothing else is downloaded.
#
# What runs has no shell, no package manager and no setuid program: only a binary and the libraries that it loads.
ARG PG_MAJOR=17

# The older client: PostgreSQL 15 is what Debian 12 packages. It runs on the newer libpq of the runner's own base.
FROM debian:bookworm-slim AS client-15
RUN apt-get update \
 && apt-get install -y --no-install-recommends postgresql-client-15 \
 && rm -rf /var/lib/apt/lists/*

FROM debian:trixie-slim AS tools
RUN apt-get update \
 && apt-get install -y --no-install-recommends binutils busybox-static postgresql-client-17 \
 && rm -rf /var/lib/apt/lists/*

# Root file systems are put together here: the programs, what ldd finds them to need, and the files that glibc reads.
FROM tools AS root-file-systems
COPY node_modules/node/bin/node /usr/local/bin/node
COPY dist/node/LICENSE /roots/node/usr/local/share/doc/node/LICENSE
COPY --from=client-15 /usr/lib/postgresql/15/bin/pg_dump /usr/lib/postgresql/15/bin/pg_restore /usr/lib/postgresql/15/bin/
RUN set -eu \
 # together ROOT PROGRAM…
 && together() { \
      root=$1; shift; \
      { printf '%s\n' "$@"; ldd "$@" | grep -oE '/[^ :)]+' ; } | sort -u | while read -r file; do \
        mkdir -p "$root$(dirname "$file")"; cp -L "$file" "$root$file"; \
      done; \
    } \
 && strip /usr/local/bin/node \
 && together /roots/node /usr/local/bin/node \
 && together /roots/runner \
      /usr/lib/postgresql/15/bin/pg_dump /usr/lib/postgresql/15/bin/pg_restore \
      /usr/lib/postgresql/17/bin/pg_dump /usr/lib/postgresql/17/bin/pg_restore \
 # Certificates: for sslrootcert=system.
 && mkdir -p /roots/node/etc /roots/runner/etc/ssl/certs /roots/cp/bin \
 && cp -L /etc/ssl/certs/ca-certificates.crt /roots/runner/etc/ssl/certs/ \
 && echo 'nonroot:x:65532:65532::/tmp:/sbin/nologin' > /roots/node/etc/passwd \
 && echo 'nonroot:x:65532:' > /roots/node/etc/group \
 && echo 'hosts: files dns' > /roots/node/etc/nsswitch.conf \
 && mkdir -m 1777 /roots/node/tmp \
 && cp /bin/busybox /roots/cp/bin/cp \
 # What the base has already.
 && cd /roots/runner && find . -type f | while read -r file; do \
      if cmp -s "$file" "/roots/node/$file"; then rm "$file"; fi; \
    done \
 && find /roots -exec touch --no-dereference --date=@0 {} +

FROM scratch AS node
COPY --from=root-file-systems /roots/node/ /
ENV PATH=/usr/local/bin NODE_ENV=production LANG=C.UTF-8
USER 65532:65532
WORKDIR /app
ENTRYPOINT ["/usr/local/bin/node", "/app/main.mjs"]

FROM node AS operator
COPY dist/operator/ /app/
# A thousand PhaseMigrations leave V8 a big heap of garbage that it sees no reason to give back. Doing without its
# optimising compilers would save ten megabytes more, and cost a tenth of a second in each outage.
ENTRYPOINT ["/usr/local/bin/node", "--optimize-for-size", "--max-semi-space-size=1", "/app/main.mjs"]
# Otherwise each thread has an arena of its own, and keeps what it once took.
ENV MALLOC_ARENA_MAX=1
EXPOSE 8080 8081

FROM node AS runner
COPY --from=root-file-systems /roots/runner/ /
COPY dist/runner/ /app/
# PostgreSQL's grammar is one enormous function. V8 would find it hot after a few scripts and optimise it, which takes
# 550 MB for a moment; its first, unoptimised code parses everything in milliseconds.
ENTRYPOINT ["/usr/local/bin/node", "--liftoff-only", "/app/main.mjs"]
CMD ["run"]

FROM node AS planner-backend
ARG VERSION=v2
COPY dist/planner-${VERSION}/ /app/
EXPOSE 8080

# What the runner copies the migrations out of: the files and `cp`, nothing else.
FROM scratch AS planner-migrations
COPY --from=root-file-systems /roots/cp/ /
COPY migrations/sql/ /migrations/
ENV PATH=/bin
USER 65532:65532

FROM debian:bookworm-slim AS postgres-15
FROM debian:trixie-slim AS postgres-17

# The planner's database in examples and tests. Without LLVM (120 MB): PostgreSQL then compiles no queries.
FROM postgres-${PG_MAJOR} AS planner-postgres
ARG PG_MAJOR
# Before its packages would make the user with another number.
RUN groupadd --gid 65532 postgres \
 && useradd --uid 65532 --gid postgres --home-dir /var/lib/postgresql --no-create-home --shell /bin/sh postgres
RUN apt-get update \
 && apt-get install -y --no-install-recommends postgresql-common \
 && sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf \
 && apt-get install -y --no-install-recommends postgresql-${PG_MAJOR} \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* /usr/share/perl /usr/lib/*-linux-gnu/libLLVM* /usr/lib/*-linux-gnu/libz3* \
      /usr/lib/postgresql/${PG_MAJOR}/lib/bitcode /usr/lib/postgresql/${PG_MAJOR}/lib/llvmjit* \
 && find / -xdev -perm /6000 -type f -exec chmod a-s {} + \
 && install --directory --owner=postgres --group=postgres --mode=0700 /var/lib/postgresql/data
COPY --chmod=0755 examples/planner/postgres/entrypoint.sh /usr/local/bin/entrypoint.sh
ENV PATH=/usr/lib/postgresql/${PG_MAJOR}/bin:/usr/local/bin:/usr/bin:/bin \
    PGDATA=/var/lib/postgresql/data/pgdata LANG=C.UTF-8
USER 65532:65532
EXPOSE 5432
ENTRYPOINT ["/usr/local/bin/entrypoint.sh"]
