namespace KeycloakCreditBridge.Chaos.Plans;

/// <summary>What is done to the system.</summary>
internal enum FaultKind
{
    /// <summary>A replica is killed, as by a power failure, and started again.</summary>
    Kill,

    /// <summary>A replica does nothing for seconds and keeps its connections.</summary>
    Suspend,

    /// <summary>A replica is asked to end, as in a rolling update, and started again.</summary>
    Terminate,

    /// <summary>PostgreSQL ends at once, without any clean-up, and recovers.</summary>
    DatabaseCrash,

    /// <summary>All database sessions of a replica are cut.</summary>
    SessionsCut,

    /// <summary>PostgreSQL commits, and its answer is lost with the session.</summary>
    AnswerCut,

    /// <summary>Nothing passes between a replica and PostgreSQL, and neither side is told.</summary>
    DatabaseHalfOpen,

    /// <summary>The connections of a replica's callers are cut.</summary>
    CallersCut,

    KeycloakError,
    KeycloakThrottle,
    KeycloakHang,

    /// <summary>Keycloak answers 200 with half a body.</summary>
    KeycloakTruncated,
    KeycloakSlow,

    /// <summary>Keycloak's stored events are deleted.</summary>
    EventsWiped,
    WebhookLost,
    WebhookDoubled,
    WebhookDelayed,

    /// <summary>A delivery of before comes once more.</summary>
    WebhookReplayed,
    WebhookReordered,

    /// <summary>The program that takes events about credits answers 503.</summary>
    SinkRefused,

    /// <summary>It takes events, and its answer is lost.</summary>
    SinkAnswerLost,
}
