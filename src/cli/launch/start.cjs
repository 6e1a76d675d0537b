// Beside the check of the version, as a file of its own: an old Node.js cannot parse import().
import("../main.js");
