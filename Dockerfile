# syntax=docker/dockerfile:1
#
# Pillion in an image without a shell and without a package manager (docs/decisions/0006-no-shell-in-the-image.md).
#
#   docker build -t pillion .
#   docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges \
#     -v "$PWD/pillion.yaml:/etc/pillion/pillion.yaml:ro" pillion
#
# Releases pin both base images by digest as well (`FROM image:tag@sha256:…`); a digest cannot be written down here
# before the image has been pulled once, so add it when you build for production.

FROM node:26.10.0-trixie-slim AS build
WORKDIR /build
# Dependencies first: this layer is rebuilt only when the lockfile changes. No install script runs.
COPY package.json package-lock.json ./
RUN ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
COPY esbuild.config.ts esbuild.plugins.ts tsconfig.json ./
COPY config/ config/
COPY cmd/ cmd/
COPY src/ src/
RUN ["node", "esbuild.config.ts", "--outdir", "/opt/pillion"]
RUN ["cp", "package.json", "/opt/pillion/"]
# V8 reads the bundle once, here: a start, and every health check, takes what it made of it (docs/decisions/0020). Node
# keeps such a cache apart for each of its versions, for each user, and for each set of flags that change compiled code;
# where one of them is another one, the bundle is simply read again.
RUN ["install", "--directory", "--owner=65532", "/opt/pillion/compile-cache"]
ENV NODE_COMPILE_CACHE=/opt/pillion/compile-cache
USER 65532:65532
RUN ["node", "--disallow-code-generation-from-strings", "--no-maglev", "--no-icu-timezone-data", "--concurrent-turbofan-max-threads=1", "/opt/pillion/pillion.js", "version"]

# Node, its shared libraries (libatomic1 too, which Node links since 25), CA certificates, time zones; nothing else.
FROM gcr.io/distroless/nodejs26-debian13:nonroot
LABEL org.opencontainers.image.title="pillion" \
      org.opencontainers.image.description="A sidecar reverse proxy that injects OAuth2 credentials" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /opt/pillion
# Owned by root and not writable by the user that runs it.
COPY --from=build /opt/pillion/package.json /opt/pillion/pillion.js /opt/pillion/THIRD-PARTY-LICENSES.txt ./
COPY --from=build /opt/pillion/compile-cache/ ./compile-cache/
COPY LICENSE ./

# MALLOC_*: what is freed goes back to the system instead of staying with glibc after a burst (docs/decisions/0016).
ENV NODE_ENV=production \
    PILLION_CONFIG=/etc/pillion/pillion.yaml \
    NODE_COMPILE_CACHE=/opt/pillion/compile-cache \
    MALLOC_ARENA_MAX=1 \
    MALLOC_TRIM_THRESHOLD_=131072 \
    MALLOC_MMAP_THRESHOLD_=131072

# By number, so that Kubernetes can see that `runAsNonRoot` holds.
USER 65532:65532

# The listeners stay on 127.0.0.1, as a sidecar shares its pod's network namespace: nothing is exposed. To serve other
# containers, say so in the configuration (`listen` together with `access`).

# --disable-sigusr1                         the signal that opens a debugger does nothing
# --disable-proto=delete                    no Object.prototype.__proto__ to pollute
# --disallow-code-generation-from-strings   no eval, no new Function
# --no-addons                               no native code beside Node's own
# --report-exclude-env, -network            should a diagnostic report ever be asked for: no secrets, no addresses in it
# --max-old-space-size-percentage=60        of the container's memory; the rest is for buffers and Node itself
# --max-semi-space-size=4                   MiB for what dies young, where V8 would take four times as much
# --no-maglev                               the middle one of V8's compilers: no faster with it, and 13 MiB larger
# --no-icu-timezone-data                    dates are in UTC here: ICU's tables of time zones are 1 MiB for nothing
# --concurrent-turbofan-max-threads=1       one compiler at a time instead of four: 4 MiB less at the peak, as fast
ENTRYPOINT ["/nodejs/bin/node", "--disable-sigusr1", "--disable-proto=delete", "--disallow-code-generation-from-strings", "--no-addons", "--report-exclude-env", "--report-exclude-network", "--max-old-space-size-percentage=60", "--max-semi-space-size=4", "--no-maglev", "--no-icu-timezone-data", "--concurrent-turbofan-max-threads=1", "/opt/pillion/pillion.js"]
CMD ["run"]

# For Docker and Compose; Kubernetes has its own probes (the admin listener's /startupz, /readyz and /livez). All but
# the first flag are there for the compile cache, which is of one set of flags.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["/nodejs/bin/node", "--disable-sigusr1", "--disallow-code-generation-from-strings", "--no-maglev", "--no-icu-timezone-data", "--concurrent-turbofan-max-threads=1", "/opt/pillion/pillion.js", "healthcheck"]
