"""Compiling C programs: two programs that share a library file, built with gcc."""

import subprocess

from redun import File, task

redun_namespace = "compile"


@task()
def compile(c_file: File) -> File:
    """Compile one C file into an object file."""
    o_file = File(c_file.path.replace(".c", ".o"))
    subprocess.run(["gcc", "-c", c_file.path, "-o", o_file.path], check=True)
    return o_file


@task()
def link(prog_path: str, o_files: list[File]) -> File:
    """Link object files into one program."""
    subprocess.run(["gcc", "-o", prog_path, *(o_file.path for o_file in o_files)], check=True)
    return File(prog_path)


@task()
def make_prog(prog_path: str, c_files: list[File]) -> File:
    """Compile one program from its C files."""
    o_files = [compile(c_file) for c_file in c_files]
    return link(prog_path, o_files)


files = {
    "prog": [File("prog.c"), File("lib.c")],
    "prog2": [File("prog2.c"), File("lib.c")],
}


@task()
def make(files: dict[str, list[File]] = files) -> list[File]:
    """Compile all programs."""
    return [make_prog(prog_path, c_files) for prog_path, c_files in files.items()]
