"""`python -m offside_eval.cli`, for launchers that take a module, as `accelerate launch` does with `-m`."""

from offside_eval.cli import main

if __name__ == "__main__":
    main(prog_name="offside-eval")
