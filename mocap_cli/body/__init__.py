"""What a person is: joints, keypoints, rotations and the result of tracking one."""
