# Two stages: the first builds one static binary, the last holds nothing else.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /notifier ./cmd/notifier

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /notifier /notifier
COPY configs/notifier.yaml configs/rules.yaml /etc/notifier/
# In a container nobody else is on 127.0.0.1.
ENV NOTIFIER_HTTP_LISTEN=0.0.0.0:9464
USER 65532:65532
EXPOSE 9464
ENTRYPOINT ["/notifier"]
CMD ["run"]
