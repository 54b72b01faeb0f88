# The first stage builds a static binary, the last contains nothing else. Public
# CA certificates and time zones are built into the program.
FROM --platform=$BUILDPLATFORM golang:1.26.8 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION= TARGETOS= TARGETARCH=
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w -X github.com/algotrade/notifier/internal/cli/base.version=$VERSION" -o /out/notifier ./cmd/notifier
RUN go -C tools/notices run . >/out/THIRD_PARTY_NOTICES

FROM scratch
ARG VERSION=
LABEL org.opencontainers.image.title="notifier" \
      org.opencontainers.image.description="AlgoTrade notifier: Kafka events in, alerts out" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build /out/notifier /usr/bin/notifier
COPY --from=build /out/THIRD_PARTY_NOTICES /usr/share/doc/notifier/
COPY LICENSE /usr/share/doc/notifier/
COPY configs/notifier.yaml configs/rules.yaml /etc/notifier/
COPY configs/schemas /etc/notifier/schemas
# 127.0.0.1 is not reachable from outside the container.
ENV NOTIFIER_HTTP_LISTEN=0.0.0.0:9464
USER 65532:65532
EXPOSE 9464
# Liveness, not readiness: unavailable brokers must not restart the container.
HEALTHCHECK --interval=10s --timeout=5s --start-period=90s --retries=3 CMD ["/usr/bin/notifier", "health"]
ENTRYPOINT ["/usr/bin/notifier"]
CMD ["run"]
