#!/usr/bin/env bash
# Builds a release: for linux on each architecture a tar.gz, a .deb and a bill of
# materials (CycloneDX, with licences), and the checksums of all. The archives
# include the licences of all linked modules. The build is reproducible: the same
# revision, Go version and VERSION produce the same bytes.
#
#   [VERSION=1.2.3] [ARCHES="amd64 arm64"] scripts/release.sh [DIR]
#
# DIR defaults to dist, VERSION to this commit's tag (v1.2.3), else to 0.0.0 and
# the revision.
set -euo pipefail
cd "$(dirname "$0")/.."

mkdir -p "${1:-dist}"
out=$(cd "${1:-dist}" && pwd)

export LC_ALL=C TZ=UTC GOFLAGS=
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
umask 022
tag=$(git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null || true)
VERSION=${VERSION:-${tag#v}}
VERSION=${VERSION:-0.0.0+g$(git rev-parse --short=12 HEAD)}
export VERSION

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_ENABLED=0 go -C tools/release build -trimpath -buildvcs=false -o "$work/tools/" github.com/goreleaser/nfpm/v2/cmd/nfpm github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod

CGO_ENABLED=0 go -C tools/notices build -trimpath -buildvcs=false -o "$work/tools/notices" .

build() { # the program for the architecture $1, as $2
	CGO_ENABLED=0 GOOS=linux GOARCH=$1 go build -trimpath -buildvcs=true -ldflags "-s -w -X github.com/algotrade/notifier/internal/cli/base.version=$VERSION" -o "$2" ./cmd/notifier
}

# Files common to all architectures.
common=$work/common
mkdir -p "$common"/{configs,completions,man}
cp LICENSE README.md CHANGELOG.md "$common"
"$work/tools/notices" -root . >"$common/THIRD_PARTY_NOTICES"
cp -r configs/notifier.yaml configs/rules.yaml configs/schemas "$common/configs"
cp configs/systemd/notifier.service packaging/copyright "$common"
cp -r packaging "$common"
build "$(go env GOHOSTARCH)" "$work/notifier"
"$work/notifier" completion bash >"$common/completions/notifier.bash"
"$work/notifier" completion zsh >"$common/completions/_notifier"
"$work/notifier" completion fish >"$common/completions/notifier.fish"
go test ./internal/cli -count=1 -run '^TestManPages$' -man "$common/man" >"$work/man.log" || { cat "$work/man.log" >&2 && exit 1; }

for arch in ${ARCHES:-amd64 arm64}; do
	export ARCH=$arch
	name=notifier-$VERSION-linux-$arch
	cp -r "$common" "$work/$name"
	build "$arch" "$work/$name/notifier"
	(cd "$work/$name" &&
		rm -r packaging copyright &&
		chmod -R u=rwX,go=rX . && chmod 755 notifier)
	tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=gnu -C "$work" -cf - "$name" | gzip -9n >"$out/$name.tar.gz"

	cp -r "$common" "$work/deb-$arch"
	cp "$work/$name/notifier" "$work/deb-$arch"
	(cd "$work/deb-$arch" &&
		gzip -9n man/*.1 CHANGELOG.md THIRD_PARTY_NOTICES &&
		"$work/tools/nfpm" package --config packaging/nfpm.yaml --packager deb --target "$out/notifier_${VERSION}_$arch.deb" >/dev/null)

	"$work/tools/cyclonedx-gomod" bin -json -noserial -notimestamp -std -version "v$VERSION" -output "$work/$name.cdx.json" "$work/$name/notifier" 2>"$work/sbom.log" || { cat "$work/sbom.log" >&2 && exit 1; }
	"$work/tools/notices" -root . -sbom "$work/$name.cdx.json" >"$out/$name.cdx.json"
done
cd "$out"
sha256sum -- "notifier-$VERSION-"*.tar.gz "notifier_${VERSION}_"*.deb "notifier-$VERSION-"*.cdx.json >SHA256SUMS
cat SHA256SUMS
