"""The smallest workflow: three tasks, one calling the others."""

from redun import Scheduler, task

redun_namespace = "hello_world"


@task()
def get_planet() -> str:
    return "World"


@task()
def greeter(greet: str, thing: str) -> str:
    return f"{greet}, {thing}!"


@task()
def main(greet: str = "Hello") -> str:
    return greeter(greet, get_planet())


if __name__ == "__main__":
    print(Scheduler().run(main()))
