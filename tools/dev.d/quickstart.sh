# shellcheck shell=bash
# The whole story on embedded defaults: SoftHSMv2 as token, SQLite store, a directory as blob store. Each line
# that is printed was done and checked; the first failure ends it with the reason.

QS_SPAN_MS=0

qs_now() { echo $((${EPOCHREALTIME//[!0-9]/} / 1000)); }

# qs_done TEXT: a line with the time since the one before.
qs_done() {
    local now
    now=$(qs_now)
    printf '%6.2f s  %s\n' "$(((now - QS_SPAN_MS) / 10))e-2" "$1"
    QS_SPAN_MS=$(qs_now)
}

qs_fail() {
    echo "quickstart: $1" >&2
    [ ! -s "$QS_DIR/cofferd.log" ] || { echo "the daemon's last words:" && tail -5 "$QS_DIR/cofferd.log"; } >&2
    exit 1
}

qs_clean() {
    build/bin/coffer bench down --dir "$QS_DIR" >/dev/null 2>&1 || true
    rm -rf "$QS_DIR" "$QS_WORK"
}

# qs VERB…: against the appliance; its answer is in $QS_ANSWER.
qs() {
    QS_ANSWER=$(build/bin/coffer "$@" --dir "$QS_DIR" 2>&1) || qs_fail "coffer $*: $QS_ANSWER"
}

# The same as one who may use keys; an administrator may not.
qs_user() { qs "$@" --as crypto-user; }

# qs_field NAME…: a member of the JSON in $QS_ANSWER.
qs_field() { python3 -c 'import functools, json, sys
print(functools.reduce(lambda v, k: v[k], sys.argv[1:], json.load(sys.stdin)))' "$@" <<<"$QS_ANSWER"; }

qs_state() {
    python3 -B tests/support/state.py capture --dir "$QS_DIR" --raw "$QS_WORK/data.img" "$QS_WORK/$1.json"
}

# The differences between two states, a line each; returns 1 when there are some.
qs_compare() { python3 -B tests/support/state.py compare "$QS_WORK/$1.json" "$QS_WORK/$2.json"; }

# qs_job backup|restore ID: shows progress until the job has ended well.
qs_job() {
    local status=InProgress
    for _ in $(seq 600); do
        QS_ANSWER=$(build/bin/coffer "$1" status --dir "$QS_DIR" --job-id "$2" --json 2>&1) || qs_fail "$1 job $2: $QS_ANSWER"
        status=$(qs_field status)
        [ "$status" = InProgress ] || break
        [ -t 1 ] && printf '\r          %s of %s bytes' "$(qs_field coffer doneBytes)" "$(qs_field coffer totalBytes)"
        sleep 0.1
    done
    [ -t 1 ] && printf '\r%60s\r' ""
    [ "$status" = Succeeded ] || qs_fail "$1 job $2 is $status: $QS_ANSWER"
}

qs_fill() {
    qs_user key create --name invoices --kty EC-HSM --curve P-256 --ops sign verify --tags team=billing env=production
    qs_user key create --name invoices --kty EC-HSM --curve P-256 --ops sign verify --tags team=billing env=production year=2
    qs_user key create --name archive --kty RSA-HSM --size 2048 --ops encrypt decrypt wrapKey unwrapKey --tags team=records
    qs_user key create --name vault --kty oct-HSM --size 256 --ops encrypt decrypt wrapKey unwrapKey
    qs_user key create --name old --kty EC-HSM --curve P-384
    qs_user key delete --name old
    qs role assignment create --role "Managed HSM Crypto User" --assignee nobody --scope /keys/invoices
    qs_done "RSA, EC and AES keys with versions, tags, one soft-deleted; a role for one principal on one key"
}

qs_change() {
    local differences
    qs_user key set-attributes --name invoices --enabled false --tags team=nobody
    qs_user key create --name archive --kty RSA-HSM --size 2048
    qs_user key create --name intruder --kty EC-HSM --curve P-256
    qs_user key delete --name vault
    qs key purge --name vault
    qs key purge --name old
    qs role assignment delete --role "Managed HSM Crypto User" --assignee nobody --scope /keys/invoices
    head -c 65536 /dev/urandom | dd of="$QS_WORK/data.img" bs=65536 seek=3 conv=notrunc status=none
    qs_state changed >/dev/null
    differences=$(qs_compare before changed | wc -l) || true
    [ "$differences" -ge 8 ] || qs_fail "the changes do not show"
    qs_done "changed, deleted and purged things, overwrote the partition: $differences differences"
}

qs_backup() {
    qs backup start --storage-resource-uri "dir:$QS_DIR/blobs" --no-wait
    local job=$QS_ANSWER
    qs_job backup "$job"
    QS_FOLDER=$(qs_field coffer folder)
    [ -s "$QS_DIR/blobs/$QS_FOLDER/manifest" ] || qs_fail "$QS_FOLDER has no manifest"
    qs_done "full backup: job $job, $(qs_field coffer bytes) bytes in $(qs_field coffer elapsedMs) ms, folder $QS_FOLDER"
}

qs_restore() {
    local report
    qs restore start --storage-resource-uri "dir:$QS_DIR/blobs" --backup-folder "$QS_FOLDER" --no-wait
    qs_job restore "$QS_ANSWER"
    report="full restore in $(qs_field coffer elapsedMs) ms"
    qs_state after >/dev/null
    local compared
    compared=$(qs_compare before after) || qs_fail "the restore did not bring everything back: $compared"
    qs_done "$report; compared field by field, $compared"
}

qs_selective() {
    qs_user key delete --name invoices
    qs key purge --name invoices
    ! build/bin/coffer key show --dir "$QS_DIR" --as crypto-user --name invoices >/dev/null 2>&1 || qs_fail "a purged key is still there"
    qs_done "purged the key invoices"
    qs restore start --storage-resource-uri "dir:$QS_DIR/blobs" --backup-folder "$QS_FOLDER" --key-name invoices
    local words=$QS_ANSWER
    qs_state selective >/dev/null
    local compared
    compared=$(qs_compare before selective | grep -v '^assignments\./keys/invoices') || true
    case "$compared" in equal* | "") ;; *) qs_fail "the selective restore changed something: $compared" ;; esac
    qs_done "selective restore of invoices: $words"
}

quickstart() {
    setup_packages quickstart && build_tree release coffer cofferd
    local digest signature
    QS_WORK=$(mktemp -d "${TMPDIR:-/tmp}/coffer-quickstart.XXXXXX")
    QS_DIR=$QS_WORK/hsm
    trap qs_clean EXIT
    QS_SPAN_MS=$(qs_now)

    head -c 33554432 /dev/urandom >"$QS_WORK/data.img"
    qs bench up --name quickstart --port "$((20000 + $$ % 10000))" --partition "data=$QS_WORK/data.img"
    qs status --json
    [ "$(qs_field state)" = active ] || qs_fail "the appliance is not active: $QS_ANSWER"
    [ -s "$QS_DIR/security-domain.json" ] || qs_fail "there is no security domain document"
    qs_done "$(qs_field url) is up and activated: 3 officers, quorum 2, token $(qs_field token model)"

    qs_fill
    digest=$(head -c 32 /dev/urandom | base64)
    qs_user key sign --name invoices --algorithm ES256 --digest "$digest"
    signature=$QS_ANSWER
    qs_done "signed with invoices: ${signature:0:20}…"
    qs_state before >/dev/null
    qs_backup
    qs_change
    qs_restore
    qs_selective
    qs_user key verify --name invoices --algorithm ES256 --digest "$digest" --signature "$signature"
    qs_done "the restored key verifies the earlier signature: $QS_ANSWER"
}
