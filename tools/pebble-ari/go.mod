// What Pebble is built from, by hash: Debian's is older than the renewal information of RFC 9773.
module hyperweb.invalid/pebble

go 1.25.0

require github.com/letsencrypt/pebble/v2 v2.10.3
