"""Follows a WebSocket with the library `websockets` and prints each line, until `last` has come.

Usage: follow.py URL LAST. Midway it sends a command and expects its answer.
"""

import asyncio
import json
import sys

import websockets


async def main(url, last):
    async with websockets.connect(url, subprotocols=["tailcast.v1"], max_size=512 * 1024) as socket:
        assert socket.subprotocol == "tailcast.v1", socket.subprotocol
        await socket.send(json.dumps({"id": 1, "cmd": "filter", "exclude": "unwanted"}))
        is_answered = False
        async for message in socket:
            message = json.loads(message)
            is_answered = is_answered or message.get("re") == 1
            for record in message.get("lines", []):
                print(record["line"], flush=True)
                if record["line"] == last:
                    assert is_answered
                    return


asyncio.run(asyncio.wait_for(main(sys.argv[1], sys.argv[2]), 60))
