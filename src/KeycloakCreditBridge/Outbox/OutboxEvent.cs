namespace KeycloakCreditBridge.Outbox;

/// <summary>Something that happened to an account.</summary>
/// <param name="Seq">Its place: events of one account are sent in this order.</param>
/// <param name="Id">The same at each sending.</param>
/// <param name="AccountId">The account, as it is named today.</param>
/// <param name="Type">One of <see cref="EventTypes.All"/>.</param>
/// <param name="Data">A JSON object, by type as docs/events.md lists it. Amounts are texts.</param>
/// <param name="At">When its transaction began, by the database's clock.</param>
internal sealed record OutboxEvent(long Seq, Guid Id, string AccountId, string Type, string Data, DateTimeOffset At);
