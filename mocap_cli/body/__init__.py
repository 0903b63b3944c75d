"""The body: joints, keypoints, rotations, rigs, and Motion, the result of tracking one person."""
