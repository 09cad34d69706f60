//! What a request asks for.

/// Kafka's calls by their keys, as far as anything here depends on them.
pub(super) mod key {
    pub(in super::super) const PRODUCE: i16 = 0;
    pub(in super::super) const FETCH: i16 = 1;
    pub(in super::super) const METADATA: i16 = 3;
    pub(in super::super) const OFFSET_COMMIT: i16 = 8;
    pub(in super::super) const FIND_COORDINATOR: i16 = 10;
    pub(in super::super) const API_VERSIONS: i16 = 18;
    pub(in super::super) const END_TXN: i16 = 26;
    pub(in super::super) const TXN_OFFSET_COMMIT: i16 = 28;
    pub(in super::super) const DESCRIBE_QUORUM: i16 = 55;
    pub(in super::super) const DESCRIBE_CLUSTER: i16 = 60;
    pub(in super::super) const SHARE_FETCH: i16 = 78;
    pub(in super::super) const SHARE_ACKNOWLEDGE: i16 = 79;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) key: i16,
    pub(super) version: i16,
}

impl Call {
    /// Whether its messages are in the flexible form. Only of calls that are read.
    pub(super) fn is_flexible(self) -> bool {
        let since = match self.key {
            key::PRODUCE | key::METADATA => 9,
            key::OFFSET_COMMIT => 8,
            key::FIND_COORDINATOR | key::API_VERSIONS | key::END_TXN | key::TXN_OFFSET_COMMIT => 3,
            _ => 0,
        };
        self.version >= since
    }

    /// Whether it may change what others see. Heartbeats and the handshakes of groups are left out: they come by
    /// themselves, and would use up picks.
    pub(super) fn changes(self) -> bool {
        matches!(self.key, 0 | 8 | 19 | 20 | 21 | 22 | 24 | 25 | 26 | 28 | 37)
    }

    pub(super) fn name(self) -> String {
        let name = match self.key {
            0 => "Produce",
            1 => "Fetch",
            2 => "ListOffsets",
            3 => "Metadata",
            8 => "OffsetCommit",
            9 => "OffsetFetch",
            10 => "FindCoordinator",
            11 => "JoinGroup",
            12 => "Heartbeat",
            13 => "LeaveGroup",
            14 => "SyncGroup",
            17 => "SaslHandshake",
            18 => "ApiVersions",
            19 => "CreateTopics",
            20 => "DeleteTopics",
            21 => "DeleteRecords",
            22 => "InitProducerId",
            24 => "AddPartitionsToTxn",
            25 => "AddOffsetsToTxn",
            26 => "EndTxn",
            28 => "TxnOffsetCommit",
            36 => "SaslAuthenticate",
            37 => "CreatePartitions",
            60 => "DescribeCluster",
            68 => "ConsumerGroupHeartbeat",
            71 => "GetTelemetrySubscriptions",
            key => return format!("api {key}"),
        };
        name.to_owned()
    }
}
