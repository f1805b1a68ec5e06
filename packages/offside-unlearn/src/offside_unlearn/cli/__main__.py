"""`python -m offside_unlearn.cli`, for launchers that take a module: `accelerate launch … -m offside_unlearn.cli run …`."""

from offside_unlearn.cli import main

if __name__ == "__main__":
    main(prog_name="offside-unlearn")
