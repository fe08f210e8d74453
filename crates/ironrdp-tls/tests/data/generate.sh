#!/bin/sh
# Makes every key and certificate of this folder anew with openssl 3.0 or later. The dates are written out,
# so that each file stays valid (or stays expired) for a century.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

START=20240101000000Z
END=21240101000000Z

key() { openssl genpkey -quiet -algorithm "$1" ${2:+-pkeyopt "$2"} -out "$3" 2>/dev/null; }
key RSA rsa_keygen_bits:2048 rsa.key.pem
key EC ec_paramgen_curve:P-256 ec.key.pem
key EC ec_paramgen_curve:P-256 ec-other.key.pem
key EC ec_paramgen_curve:P-384 ec384.key.pem
key ED25519 "" ed25519.key.pem
key EC ec_paramgen_curve:P-256 "$work/ca.key"
key RSA rsa_keygen_bits:1024 "$work/rsa1024.key"

# A small `openssl ca` set-up: it is the only subcommand of 3.0 that takes explicit dates.
cat > "$work/ca.cnf" <<CNF
[ca]
default_ca = test
[test]
new_certs_dir = $work
database = $work/index.txt
serial = $work/serial
default_md = sha256
policy = any
unique_subject = no
email_in_dn = yes
preserve = yes
[any]
commonName = optional
organizationName = optional
countryName = optional
emailAddress = optional
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = CA:FALSE
subjectAltName = DNS:localhost,DNS:rdp.example,IP:127.0.0.1,IP:::1
extendedKeyUsage = serverAuth
[client_only]
basicConstraints = CA:FALSE
subjectAltName = DNS:localhost
extendedKeyUsage = clientAuth
[windows]
basicConstraints = CA:TRUE
[not_ca]
basicConstraints = CA:FALSE
subjectAltName = DNS:localhost
CNF
: > "$work/index.txt"
echo 1000 > "$work/serial"

# sign NAME SUBJECT KEY SECTION START END [more openssl ca options]; SECTION none makes a version 1 certificate.
sign() {
  name=$1 subject=$2 signed=$3 section=$4 from=$5 to=$6
  shift 6
  openssl req -new -utf8 -key "$signed" -subj "$subject" -out "$work/$name.csr"
  if [ "$section" = none ]; then extensions=; else extensions="-extensions $section"; fi
  openssl ca -batch -notext -config "$work/ca.cnf" $extensions -startdate "$from" -enddate "$to" \
    -in "$work/$name.csr" -out "$name.pem" "$@" 2>/dev/null
}
self() { name=$1 subject=$2 signed=$3; shift 3; sign "$name" "$subject" "$signed" "$@" -selfsign -keyfile "$signed"; }

self root "/CN=RDP test root" "$work/ca.key" root $START $END
by_root="-cert root.pem -keyfile $work/ca.key"
sign good "/CN=rdp.example" ec.key.pem leaf $START $END $by_root
sign good-rsa "/CN=rdp.example" rsa.key.pem leaf $START $END $by_root
sign expired "/CN=rdp.example" ec.key.pem leaf $START 20240201000000Z $by_root
sign not-yet "/CN=rdp.example" ec.key.pem leaf 21230101000000Z $END $by_root
sign client-only "/CN=rdp.example" ec.key.pem client_only $START $END $by_root

self foreign-root "/CN=Another root" ec-other.key.pem root $START $END
by_other="-cert foreign-root.pem -keyfile ec-other.key.pem"
sign foreign "/CN=rdp.example" ec.key.pem leaf $START $END $by_other
sign foreign-v1 "/CN=rdp.example" ec.key.pem none $START $END $by_other
rm foreign-root.pem

# What Windows and `openssl req -x509` make: RSA, signed by itself, CA:TRUE, used as end entity.
self windows "/CN=WIN-7EXAMPLE" rsa.key.pem windows $START $END
# The same key in a renewed certificate.
self windows-renewed "/CN=WIN-7EXAMPLE" rsa.key.pem windows 20250101000000Z $END
self self-signed "/CN=localhost" ec.key.pem not_ca $START $END
self ec384 "/CN=localhost" ec384.key.pem not_ca $START $END
self ed25519 "/CN=localhost" ed25519.key.pem not_ca $START $END -md null
self v1-rsa "/CN=old server" rsa.key.pem none $START $END
self v1-ec "/CN=old server" ec.key.pem none $START $END
self sha1 "/CN=old server" rsa.key.pem not_ca $START $END -md sha1
self rsa1024 "/CN=weak server" "$work/rsa1024.key" not_ca $START $END
# A subject that would move the cursor of a terminal, and names in another script.
self odd-name "/C=DE/O=Bücher, Söhne \\+ Co/CN=$(printf 'a\033[2Jb')/emailAddress=root@rdp.example" ec.key.pem not_ca 19490101000000Z 20491231235959Z

# What openssl says they hash to: name, certificate, public key.
for file in *.pem; do
  case $file in *.key.pem) continue ;; esac
  printf '%s %s %s\n' "${file%.pem}" \
    "$(openssl x509 -in "$file" -outform der | sha256sum | cut -d' ' -f1)" \
    "$(openssl x509 -in "$file" -noout -pubkey | openssl pkey -pubin -outform der | sha256sum | cut -d' ' -f1)"
done > fingerprints.txt
