"""OpenSearch, one node of its own, as tools/clients opensearch fetched it; for tests.

Everything on 127.0.0.1, ports chosen by the system, data in a folder of its own; ends with stop().
"""
import glob
import json
import os
import urllib.error
import urllib.request

import java_peer


def jars():
    """The folder of its jars, or None: it could not be had, or there is no Java."""
    folder = java_peer.jars("opensearch")
    return folder if folder and os.path.exists(os.path.join(folder, "OpenSearchNode.class")) else None


def version():
    return os.path.basename(glob.glob(os.path.join(jars(), "opensearch-[0-9]*.jar"))[0])[len("opensearch-"):-len(".jar")]


class Node(java_peer.JavaPeer):
    """`settings`: of the node, "http.max_content_length=1mb"."""

    def __init__(self, folder, settings=(), deadline=120):
        super().__init__("OpenSearch", os.path.join(folder, "opensearch.log"), deadline)
        self.folder, self.settings = folder, list(settings)
        self.port, self.transport = java_peer.free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def command(self):
        return ["java", "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{jars()}:{jars()}/*", "OpenSearchNode",
                "node.name=one", "cluster.name=squibly", f"path.home={self.folder}", f"path.data={self.folder}/data",
                "http.type=netty4", "transport.type=netty4", "discovery.type=single-node", "network.host=127.0.0.1",
                f"http.port={self.port}", f"transport.port={self.transport}",
                "cluster.routing.allocation.disk.threshold_enabled=false", *self.settings]

    def answers(self):
        """It has found its indices again, and their first copies are there."""
        try:
            return self.ask("GET", "/_cluster/health")["status"] != "red"
        except (OSError, KeyError):
            return False

    def ask(self, method, path, body=None):
        """Its answer, whatever the status."""
        request = urllib.request.Request(self.url + path, None if body is None else json.dumps(body).encode(), method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as e:
            with e:
                return json.loads(e.read())

    def do(self, method, path, body=None):
        """What must succeed."""
        answer = self.ask(method, path, body)
        if "error" in answer:
            raise RuntimeError(f"{method} {path}: {answer}")
        return answer

    def count(self, index):
        """How many documents are in the index; 0 when it is not there."""
        self.ask("POST", f"/{index}/_refresh")
        return self.ask("GET", f"/{index}/_count").get("count", 0)

    def found(self, index):
        """What is in the index: {id: document}; none when it is not there."""
        self.ask("POST", f"/{index}/_refresh")
        hits = self.ask("GET", f"/{index}/_search?size=10000").get("hits", {}).get("hits", [])
        return {hit["_id"]: hit["_source"] for hit in hits}
