# One member of flotilla. `docker build .` fetches the dependencies inside; `npm run image` has them laid in beforehand, so that
# nothing is fetched. BASE needs Node.js 24.12 or newer, and nothing else.
ARG BASE=node:24-bookworm-slim

FROM ${BASE} AS staged
COPY . /src
RUN ["node", "/src/scripts/stage.mjs", "/src", "/opt/flotilla"]

FROM ${BASE}
COPY --from=staged /opt/flotilla /opt/flotilla
# As bin/flotilla sets them: the log must not wait behind the store's work, and memory that is free is used again.
ENV UV_THREADPOOL_SIZE=8 MALLOC_ARENA_MAX=2
EXPOSE 2379 2380
VOLUME /var/lib/flotilla
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "--max-semi-space-size=16", "--conditions=@flotilla/source", "/opt/flotilla/packages/server/src/cli/main.ts"]
CMD ["--data-dir=/var/lib/flotilla", "--listen-client-urls=http://0.0.0.0:2379", "--advertise-client-urls=http://0.0.0.0:2379"]
