"""A second blob service, written apart from coffer-blobserver, in memory. It holds every request to the letter of the
REST reference, notes what is against it, and answers as far from habit as the reference allows: headers in lower case,
lists in chunks, in pages of two with empty ones between, elements in another order and unknown ones among them."""
import base64
import http.server
import re
import threading
import urllib.parse
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

SAS = {"sv", "sr", "sp", "st", "se", "sip", "spr", "si", "sig", "ss", "srt", "ses"}
PAGE = 2


class Refusal(Exception):
    def __init__(self, status, code):
        super().__init__(code)
        self.status, self.code = status, code


class StrictStorage:
    """`uri` names the container; `violations` must stay empty."""

    def __init__(self):
        self.blobs, self.pending, self.violations, self.seen = {}, {}, [], set()
        self.lock = threading.Lock()
        service = self

        class Handler(_Handler):
            store = service

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.uri = f"http://127.0.0.1:{self.server.server_address[1]}/acct/strict"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store = None

    def log_message(self, *_args):
        pass

    def send_header(self, keyword, value):
        super().send_header(keyword.lower(), value)

    # --- judging ------------------------------------------------------------------------------

    def want(self, condition, what):
        if not condition:
            self.store.violations.append(f"{self.command} {self.path.split('sig=')[0]}: {what}")

    def judge(self):
        path, _, query = self.path.partition("?")
        pairs = [part.partition("=") for part in query.split("&")]
        self.want(all(name and equals for name, equals, _ in pairs), "an empty part of the query")
        names = [name for name, _, _ in pairs]
        self.want(len(set(names)) == len(names), "a parameter twice")
        self.want("sig" in names and "Authorization" not in self.headers, "not one credential")
        self.want(re.fullmatch(r"(/([A-Za-z0-9._~!$'()*,;:@=+&-]|%[0-9A-F]{2})+)+", path), f"path {path}")
        self.want(re.fullmatch(r"([A-Za-z0-9._~*,:/=&-]|%[0-9A-Fa-f]{2})*", query), "a query that is not encoded")
        self.want(re.fullmatch(r"20\d\d-\d\d-\d\d", self.headers.get("x-ms-version", "")), "no x-ms-version")
        self.want("Transfer-Encoding" not in self.headers and "Expect" not in self.headers, "chunked, or waiting")
        lengths = self.headers.get_all("Content-Length", [])
        self.want(len(lengths) == (1 if self.command == "PUT" else 0), "Content-Length")
        for name in ("x-ms-version", "Host", "If-None-Match", "If-Match", "x-ms-range", "Range", "Content-Type"):
            self.want(len(self.headers.get_all(name, [])) <= 1, f"{name} twice")
        self.query = {name: urllib.parse.unquote(value) for name, _, value in pairs}
        self.asked = {name: value for name, value in self.query.items() if name not in SAS}
        parts = urllib.parse.unquote(path).split("/", 3)
        self.want(parts[1:3] == ["acct", "strict"], "another container")
        return parts[3] if len(parts) > 3 else None

    def run(self, deed):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        name = self.judge()
        with self.store.lock:
            self.store.seen.add((self.command, self.asked.get("comp", "")))
            try:
                deed(name, body)
            except Refusal as refusal:
                self.refuse(refusal)

    def refuse(self, refusal):
        text = (f'\ufeff<?xml version="1.0" encoding="utf-8"?><Error><Code>{refusal.code}</Code><Message>No.\nRequestId:x</Message>'
                "</Error>").encode()
        self.send_response(refusal.status)
        self.send_header("x-ms-error-code", refusal.code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def answer(self, status, body=b"", length=None, **headers):
        self.send_response(status)
        for keyword, value in headers.items():
            self.send_header(keyword.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def answer_xml(self, text):
        """In chunks, as a service does that does not know the length yet."""
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        data = ('\ufeff<?xml version="1.0" encoding="utf-8"?>\n' + text).encode()
        for at in range(0, len(data), 37):
            piece = data[at:at + 37]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    # --- writing ------------------------------------------------------------------------------

    def create_only(self, name):
        self.want(self.headers.get("If-None-Match") == "*", "not create-only")
        if name in self.store.blobs:
            raise Refusal(409, "BlobAlreadyExists")

    def put(self, name, body):
        comp = self.asked.get("comp")
        if comp == "block":
            self.put_block(name, body)
        elif comp == "blocklist":
            self.put_list(name, body)
        else:
            self.want(not self.asked and self.headers.get("x-ms-blob-type") == "BlockBlob", "not a Put Blob")
            self.create_only(name)
            self.store.blobs[name] = [("", body)]
            self.store.pending.pop(name, None)
        self.answer(201, ETag='"0x1"')

    def put_block(self, name, body):
        self.want(set(self.asked) == {"comp", "blockid"} and body, "not a Put Block")
        self.want("If-None-Match" not in self.headers and "x-ms-blob-type" not in self.headers, "headers of another call")
        try:
            raw = base64.b64decode(self.asked["blockid"], validate=True)
        except ValueError as error:
            raise Refusal(400, "InvalidQueryParameterValue") from error
        blocks = self.store.pending.setdefault(name, {})
        lengths = {len(base64.b64decode(known)) for known in blocks} | {len(raw)}
        if len(raw) > 64 or len(lengths) > 1:
            raise Refusal(400, "InvalidBlobOrBlock")
        self.want(self.asked["blockid"] not in blocks, "a block id twice")
        blocks[self.asked["blockid"]] = body

    def put_list(self, name, body):
        self.want(set(self.asked) == {"comp"}, "not a Put Block List")
        root = ET.fromstring(body)
        self.want(root.tag == "BlockList" and all(item.tag == "Latest" for item in root), "another list")
        self.create_only(name)
        blocks = self.store.pending.pop(name, {})
        if any(item.text not in blocks for item in root):
            raise Refusal(400, "InvalidBlockList")
        self.store.blobs[name] = [(item.text, blocks[item.text]) for item in root]

    def delete(self, name, _body):
        self.want(not self.asked, "not a Delete Blob")
        self.find(name)
        del self.store.blobs[name]
        self.answer(202)

    # --- reading ------------------------------------------------------------------------------

    def find(self, name):
        if name not in self.store.blobs:
            raise Refusal(404, "BlobNotFound")
        return b"".join(data for _, data in self.store.blobs[name])

    def get(self, name, _body):
        if name is None:
            self.want(self.asked.get("restype") == "container" and self.asked.get("comp") == "list", "not a list")
            self.get_list()
        elif self.asked.get("comp") == "blocklist":
            self.get_blocks(name)
        else:
            self.get_range(self.find(name))

    def get_range(self, data):
        self.want(not self.asked, "not a Get Blob")
        asked = self.headers.get("x-ms-range") or self.headers.get("Range")
        if not asked:
            self.answer(200, data, ETag='"0x1"')
            return
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", asked)
        self.want(match, f"range {asked}")
        first, last = int(match[1]), min(int(match[2] or len(data)), len(data) - 1)
        if first >= len(data):
            raise Refusal(416, "InvalidRange")
        self.answer(206, data[first:last + 1], ETag='"0x1"', Content_Range=f"bytes {first}-{last}/{len(data)}")

    def head(self, name, _body):
        self.want(not self.asked, "not a look at a blob")
        self.answer(200, length=len(self.find(name)), ETag='"0x1"')

    def get_blocks(self, name):
        self.want(self.asked.get("blocklisttype") in ("all", "committed", "uncommitted"), "no kind of list")
        if name not in self.store.blobs and name not in self.store.pending:
            raise Refusal(404, "BlobNotFound")

        def listed(blocks):
            return "".join(f"<Block><Size>{len(data)}</Size><New/><Name>{known}</Name></Block>" for known, data in blocks if known)
        committed = listed(self.store.blobs.get(name, []))
        waiting = listed(sorted(self.store.pending.get(name, {}).items()))
        self.answer_xml(f"<BlockList>{f'<CommittedBlocks>{committed}</CommittedBlocks>' if committed else '<CommittedBlocks />'}"
                        f"<UncommittedBlocks>{waiting}</UncommittedBlocks></BlockList>")

    def entries(self, prefix, delimiter):
        names = []
        for name in sorted(self.store.blobs):
            if not name.startswith(prefix):
                continue
            cut = name.find(delimiter, len(prefix)) if delimiter else -1
            shown = name[:cut + 1] if cut >= 0 else name
            if not names or names[-1] != shown:
                names.append(shown)
        return names

    def get_list(self):
        delimiter = self.asked.get("delimiter", "")
        marker = self.asked.get("marker", "")
        names = self.entries(self.asked.get("prefix", ""), delimiter)
        if marker.startswith("empty!"):  # a page of nothing, and on
            shown, following = [], "from!" + marker[6:]
        else:
            first = int(marker[5:] or 0) if marker else 0
            shown = names[first:first + PAGE]
            following = f"empty!{first + PAGE}" if first + PAGE < len(names) else ""
        text = ""
        for name in shown:
            spelt = f"<Name>{escape(name)}</Name>"
            if delimiter and name.endswith(delimiter):
                text += ("<BlobPrefix><Properties><ResourceType>directory</ResourceType><Content-Length>0</Content-Length>"
                         f"</Properties>{spelt}</BlobPrefix>\n")
            else:
                text += (f"<Blob><Properties><Etag>0x1</Etag><Content-MD5 /><!-- new --><Content-Length>{len(self.find(name))}"
                         f"</Content-Length></Properties><OrMetadata /><Tags><TagSet><Tag><Key>Name</Key></Tag></TagSet></Tags>"
                         f"{spelt}</Blob>\n")
        more = f"<NextMarker>{following}</NextMarker>" if following else "<NextMarker />"
        self.answer_xml(f'<EnumerationResults ContainerName="strict">{more}<Blobs>{text}</Blobs></EnumerationResults>')

    def do_GET(self):
        self.run(self.get)

    def do_HEAD(self):
        self.run(self.head)

    def do_PUT(self):
        self.run(self.put)

    def do_DELETE(self):
        self.run(self.delete)
