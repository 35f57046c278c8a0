"""One Drive folder of a run: its listing, its pending images, and its mapping and report after an early end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from drive2cloudinary.command import CANCELLED, WARNING
from drive2cloudinary.drive.token_file import token_warnings
from drive2cloudinary.errors import MigrationError
from drive2cloudinary.files import make_older
from drive2cloudinary.network.services import tell_on_stderr
from drive2cloudinary.plan.filters import excludes_folder, with_exclusions, without_effect
from drive2cloudinary.plan.pending import Pending, count_excluded, pending
from drive2cloudinary.results import batches, layout, listing, marker
from drive2cloudinary.results.listing import Listing, NoListing
from drive2cloudinary.results.merged import Merge
from drive2cloudinary.results.run import Run
from drive2cloudinary.settings import Settings

INTERRUPTED = "interrupted while the folder was listed: nothing was moved"


class Migration:
    """One Drive folder and its results folder."""

    def __init__(self, settings: Settings, warn: Callable[[str], None]) -> None:
        """In: called with a line for the user."""
        self._warn = warn
        self.settings = settings
        self.results_folder = settings.results_folder
        self.run = Run(self.results_folder)
        self.listing = layout.listing(self.results_folder)
        self.mapping = layout.mapping_json(self.results_folder)
        self.report = layout.report(self.results_folder)
        self.orphans = layout.orphans(self.results_folder)
        self.left_out = ""
        """Why this run leaves the Drive folder out; "" if it does not."""
        self.listed_now = False
        """Whether this dry run has made the listing."""
        self.excluded = 0
        """How many images of the listing are excluded and were not moved before."""
        self.without_effect: dict[str, str] | None = None
        """What the user asked for and what fits nothing here, as filters.without_effect; None until it is listed."""
        self.is_up_to_date = False
        """Whether this run has listed the Drive folder, and found no change since the mapping was made."""

    @property
    def targets(self) -> list[str]:
        """The files that a run has to make."""
        outputs = layout.mapping_csv(self.results_folder), self.mapping, self.orphans, self.report
        return list(map(str, outputs))

    def begin(self, run_id: str) -> None:
        """Lock the results folder for a run, and remove leftovers of the last one. Raises MigrationError."""
        self.hold(run_id)
        self._rename_non_files()
        # Snakemake lists again only if the listing is older than run.json.
        make_older(self.listing, self.run.path)
        batches.forget(self.results_folder)
        of_listing = layout.log(self.results_folder, "list_images"), layout.found_so_far(self.results_folder)
        of_run = layout.reason_to_stop(self.results_folder), layout.refusals(self.results_folder)
        for path in (*of_listing, *of_run, *layout.notices(self.results_folder)):
            path.unlink(missing_ok=True)

    def hold(self, run_id: str) -> None:
        """Lock the results folder for a run. Raises MigrationError if another run holds it."""
        self.run.begin(run_id, self.settings.csv_bom)

    def _rename_non_files(self) -> None:
        """Rename a folder or pipe in the place of an output: Snakemake could neither copy nor remove it."""
        for path in [self.listing, *(Path(target) for target in self.targets)]:
            if path.exists() and not path.is_file():
                aside = path.replace(path.with_name(f"{path.name}.corrupt"))
                self._warn(f"{path} is not a file: taken as missing, and kept as {aside.name}")

    def list_for_a_dry_run(self, anew: bool) -> None:
        """List the Drive folder, unless an existing listing can be used, or a run holds the results folder.

        In: do not use the existing listing. Raises MigrationError, also if a run has not made the first listing yet.
        """
        if not self.run.is_alive() and (anew or not self.listing.exists() or self._listed_with_other_settings):
            self._list_for_a_dry_run()
        if not self.listing.exists():
            raise MigrationError(
                f"another command holds {self.results_folder}, and has not listed yet: try again in a moment"
            )

    def _list_for_a_dry_run(self) -> None:
        # Imported here, because the Google client takes long.
        from drive2cloudinary.plan.make_listing import list_images

        def may_write() -> bool:
            # Do not replace the listing of a real run that has begun meanwhile.
            return not self.run.is_alive()

        self.listed_now = list_images(self.settings, self.listing, "", tell_on_stderr, may_write=may_write)

    @property
    def _listed_with_other_settings(self) -> bool:
        try:
            head, now = listing.head(self.listing), self.settings.of_listing
            differ = any(now.get(name) != value for name, value in head.settings.items())
            return differ or not all(excludes_folder(self.settings, each, head.folder) for each in head.closed)
        except NoListing:
            # Whoever reads all of it says so.
            return False

    def warn_of_token(self) -> None:
        """Tell the user what is wrong with the token, or soon will be; a listing does that itself."""
        for warning in token_warnings(Path(self.settings.token)):
            self._warn(f"{WARNING}{warning}")

    def listed_as_set(self) -> Listing:
        """The existing listing with the current settings' exclusions; it may have been made with other settings."""
        return with_exclusions(self.settings, listing.read_confirmed(self.results_folder))

    def pending(self, listed: Listing, again: bool, dryrun: bool) -> tuple[list[Pending], int]:
        """The images of a listing that are to be transferred, and how many the setting `limit` leaves.

        In: `again`, also those that have a marker. An invalid marker gets a line on the terminal and, unless in a dry
        run, another name.
        """

        def invalid(path: Path) -> None:
            self._warn(marker.not_valid(path) if dryrun else marker.set_aside(path))

        self.without_effect = without_effect(self.settings, listed)
        merge, limit = Merge(self.results_folder), self.settings.limit
        found, left = pending(listed.images, self.results_folder, merge, invalid, again, limit)
        self.excluded = count_excluded(listed.images, merge)
        if not dryrun:
            if left and limit:
                self.run.note(limit=limit, last=found[-1].image.id)
            self.is_up_to_date = not found and merge.is_recorded(self.settings.csv_bom)
        return found, left

    def markers(self, images: Sequence[listing.Image]) -> list[str]:
        """The markers that these images will have."""
        return [str(marker.path_of(self.results_folder, image.id, image.fingerprint)) for image in images]

    @property
    def warnings_while_listing(self) -> list[str]:
        """The warnings in the log of list_images."""
        return [line for line in self._said_while_listing() if line.startswith(WARNING)]

    @property
    def error_while_listing(self) -> str:
        """Why list_images failed, as its log says last; "" if it does not say."""
        return next((line for line in reversed(self._said_while_listing()) if not line.startswith(WARNING)), "")

    def _said_while_listing(self) -> list[str]:
        log = layout.log(self.results_folder, "list_images")
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
        # Ctrl-C in a terminal also reaches the script, anywhere in its code; its traceback stays in the log.
        return [INTERRUPTED if line in ("KeyboardInterrupt", CANCELLED) else line for line in lines]

    def need_mapping(self) -> None:
        """Have Snakemake make the mapping again, unless it is up to date. Raises OSError."""
        if not self.is_up_to_date:
            for target in self.targets:
                make_older(Path(target), self.run.path)
