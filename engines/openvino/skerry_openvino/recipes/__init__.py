"""The recipes of OpenVINO with NNCF, a file each: how a candidate is made of the float32 source."""
