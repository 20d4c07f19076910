"""SkyRL's Tinker server with its jax backend, on a CPU, in a venv that holds neither torch nor peft nor uv.

    python serve.py --base-model DIR --backend jax --port N ...

takes the arguments of `python -m skyrl.tinker.api`, and ends when its standard input does. What the jax backend uses of those three packages is one annotation, one
JSON file and the command that starts its second process; each is replaced here. `serve.py engine ...` is that process.
"""

import json
import os
import signal
import sys
from argparse import ArgumentParser
from pathlib import Path
from threading import Thread
from types import ModuleType

import transformers  # noqa: F401  it looks for torch when it is imported, and is to find none


def pretend(name: str, **members: object) -> None:
    module = ModuleType(name)
    vars(module).update(members)
    sys.modules[name] = module


class AdapterSettings:
    """In the place of peft.LoraConfig: what it is given, as adapter_config.json, without the names of modules, as peft leaves it."""

    def __init__(self, **settings: object) -> None:
        self.settings = {"peft_type": "LORA", "target_modules": None, **settings}

    def save_pretrained(self, directory: str) -> None:
        Path(directory, "adapter_config.json").write_text(json.dumps(self.settings))


def end_with_parent() -> None:
    """Ends both processes of the server, which are a process group, when nobody holds the other end of standard input."""
    sys.stdin.buffer.read()
    os.killpg(os.getpgrp(), signal.SIGKILL)


def engine() -> None:
    from skyrl.tinker.engine import main

    main()


def api() -> None:
    import uvicorn
    from skyrl.tinker import api as server
    from skyrl.tinker.config import EngineConfig, add_model, config_to_argv

    parser = ArgumentParser()
    add_model(parser, EngineConfig)
    parser.add_argument("--port", type=int, required=True)
    given = vars(parser.parse_args())
    Thread(target=end_with_parent, daemon=True).start()
    port = given.pop("port")
    server._build_uv_run_cmd_engine = lambda _parent, config: [sys.executable, __file__, "engine", *config_to_argv(config)]
    server.app.state.engine_config = EngineConfig.model_validate(given)
    uvicorn.run(server.app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    pretend("torch")
    pretend("peft", LoraConfig=AdapterSettings)
    is_engine = sys.argv[1:2] == ["engine"]
    if is_engine:
        del sys.argv[1]
    (engine if is_engine else api)()
