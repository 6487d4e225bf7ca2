"""Need: what methods need beside the reports of a case."""

import enum


class Need(enum.Enum):
    """What a method needs beside the reports of a case; the value is the way to provide it."""

    FIRST_GUESS = "a background, or reports on the earth, of which a regression is made"
    MEMBERS = "an ensemble: --ensemble FILE FILE ... names the members, one file each or all in netCDF files"
    SETTINGS = "cases on the earth, of variables that the classical methods' settings have (--set settings=classical)"
    GRID = "gridded files on the earth: --grid FILE ..., or those of --background FILE ..."
    CHECKPOINT = "a trained network: --checkpoint DIR/checkpoints/best"
    STATES = "cases with truth at times that follow each other: --states FILE ... --time T ..., or a store of such"
    FOURDVAR = "a section fourdvar: which mlrtma analyse, verify and reanalysis have, and labels of mlrtma samples"
    TRAINING = "training cases: --set training='{cases: {store: {file: output/exercise2/weak/samples.h5}}}'"
    GAUSSIAN_PLANE = "cases of gaussian_plane, whose statistics are known exactly"
    SHALLOW_PLANE = "cases of shallow_plane on its whole plane, whose types of observation are known"
