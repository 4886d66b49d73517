using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants.Review.Signals.Addresses;
using KeycloakCreditBridge.Grants.Review.Signals.Domains;
using KeycloakCreditBridge.Grants.Review.Signals.Hashes;
using KeycloakCreditBridge.Grants.Review.Signals.Origins;
using KeycloakCreditBridge.Storage.Sessions;
using Npgsql;

namespace KeycloakCreditBridge.Grants.Review.Signals;

/// <summary>
/// Asks all signals of users whose grants are due. What speaks of a user is decided once, when the user is asked for first: a list that
/// changes later concerns no earlier user. What cannot be read counts nothing and is recorded.
/// </summary>
internal sealed partial class Assessor(
    RegistrationStore store, CommonDomains common, DisposableDomains disposable, OriginReader origins, SignalHasher hasher,
    Hot<FraudRules> rules, SignalMetrics metrics, TimeProvider clock, ILogger<Assessor> logger)
{
    private const string Unreadable = "unreadable";

    // Networks are counted over a day, and older events may be deleted.
    private static readonly TimeSpan Recent = TimeSpan.FromDays(1);

    /// <summary>What the signals say of each user, by account id. Users of realms without review are clean.</summary>
    public async Task<IReadOnlyDictionary<string, Assessment>> AssessAsync(
        IReadOnlyList<Candidate> users, CancellationToken cancellationToken)
    {
        var current = rules.Current;
        var assessed = users.DistinctBy(user => user.AccountId).ToDictionary(
            user => user.AccountId, _ => Assessment.Clean, StringComparer.Ordinal);
        Candidate[] reviewed = [.. users.Where(user => current.Of(user.Realm) is not null).DistinctBy(user => user.AccountId)];
        if (reviewed.Length == 0)
            return assessed;
        try
        {
            foreach (var (user, seen) in await SeenAsync(reviewed, cancellationToken))
                assessed[user.AccountId] = current.Of(user.Realm)!.Assess(user, seen);
        }
        catch (NpgsqlException exception)
        {
            LogUnreadable(reviewed.Length, PrivilegeErrors.Describe(exception));
            SignalHit[] missing = [.. SignalNames.All.Select(signal => new SignalHit(signal, 0, Unreadable))];
            foreach (var user in reviewed)
                assessed[user.AccountId] = new Assessment(0, missing, null);
        }

        return assessed;
    }

    private async Task<IEnumerable<(Candidate User, SeenSignals Seen)>> SeenAsync(
        Candidate[] users, CancellationToken cancellationToken)
    {
        Dictionary<string, Func<string, bool>> isCommon = new(StringComparer.Ordinal);
        foreach (var realm in users.Select(user => user.Realm).Distinct(StringComparer.Ordinal))
            isCommon[realm] = await common.OfAsync(realm, cancellationToken);
        var domains = disposable.Current;
        Registrant[] registrants = [.. users.Select(user => RegistrantOf(user, domains, isCommon[user.Realm]))];
        string[] values = [
            .. users.Zip(registrants).SelectMany(pair => ValuesOf(pair.First, pair.Second)).Distinct(StringComparer.Ordinal)];
        var read = await store.RecordAsync(registrants, values, cancellationToken);
        if (await ReadOriginsAsync(users, read, cancellationToken))
            read = await store.RecordAsync(registrants, values, cancellationToken) with { Kept = read.Kept };
        List<(Candidate, SeenSignals)> seen = [];
        foreach (var known in read.Users)
        {
            var (user, registrant) = (users[known.Index], registrants[known.Index]);
            var signals = Signals(user, registrant, known, read.Entries, domains is not null);
            seen.Add((user, signals));
            if (read.Kept.Contains(user.KeycloakId))
                metrics.Seen(signals);
        }

        return seen;
    }

    private Registrant RegistrantOf(Candidate user, DomainList? domains, Func<string, bool> isCommon)
    {
        var parts = AddressParts.Of(user.Email);
        List<string> signals = [];
        if (user.Email is { } email && domains?.Has(email) == true)
            signals.Add(SignalNames.DisposableDomain);
        if (user.Email is { } address && KnownDomains.Relays.Has(address))
            signals.Add(SignalNames.RelayDomain);
        return new(
            user.Realm, user.KeycloakId, user.AccountId, user.RegisteredAt, hasher.Of(SignalKinds.Inbox, parts.Inbox),
            hasher.Of(SignalKinds.Domain, parts.Domain), hasher.Of(SignalKinds.Series, parts.Series), signals,
            parts.Domain is not null && isCommon(parts.Domain), clock.GetUtcNow() - user.RegisteredAt > OriginStore.Retention)
        {
            EarlierInboxes = hasher.EarlierOf(SignalKinds.Inbox, parts.Inbox),
        };
    }

    private static IEnumerable<string> ValuesOf(Candidate user, Registrant registrant) =>
    [
        .. user.Email is null ? [] : DomainList.Suffixes(user.Email),
        .. registrant.InboxNames,
    ];

    // Whether something was read.
    private async Task<bool> ReadOriginsAsync(Candidate[] users, ReadRegistrations read, CancellationToken cancellationToken)
    {
        var unseen = read.Users.Where(known => !known.IsSeen).Select(known => users[known.Index])
            .Where(user => clock.GetUtcNow() - user.RegisteredAt < Recent)
            .ToLookup(user => user.Realm, StringComparer.Ordinal);
        foreach (var ofRealm in unseen)
        {
            await origins.ReadAsync(
                ofRealm.Key, ofRealm.ToDictionary(user => user.KeycloakId, user => user.RegisteredAt, StringComparer.Ordinal),
                cancellationToken);
        }

        return unseen.Count > 0;
    }

    private static SeenSignals Signals(
        Candidate user, Registrant registrant, ReadRegistration known, IReadOnlyDictionary<(string Kind, string Value), bool> entries,
        bool hasList)
    {
        List<string> spoke = [.. known.Signals];
        List<(string Signal, string Why)> missing = [];
        // The longest domain that an operator named decides.
        var named = user.Email is null ? [] : DomainList.Suffixes(user.Email)
            .Where(domain => entries.ContainsKey((EntryKinds.Domain, domain))).Take(1).ToList();
        if (named is [var decisive])
        {
            spoke.Remove(SignalNames.DisposableDomain);
            if (!entries[(EntryKinds.Domain, decisive)])
                spoke.Add(SignalNames.DisposableDomain);
        }
        else if (!hasList)
        {
            missing.Add((SignalNames.DisposableDomain, "no_list"));
        }

        // What was said last stands: by the present key, and else by one of before.
        bool? isAllowed = registrant.InboxNames.Select(name => (EntryKinds.Address, name)).Where(entries.ContainsKey).Take(1).ToList()
            is [var said] ? entries[said] : null;
        if (isAllowed == false)
            spoke.Add(SignalNames.Denied);
        if (registrant.Inbox is null)
            missing.Add((SignalNames.SameInbox, user.Email is null ? "no_address" : "address_malformed"));
        if (!known.IsSeen || known.Missing is not null)
            missing.Add((SignalNames.NetworkHour, known.Missing ?? MissingOrigins.NoEvent));
        else if (!registrant.IsOld)
            spoke.AddRange(OfNetwork(known));
        return new SeenSignals(spoke, missing)
        {
            HasPaid = known.HasPaid, IsAllowed = isAllowed == true, ByAdministrator = known.Missing == MissingOrigins.Administrator,
        };
    }

    private static IEnumerable<string> OfNetwork(ReadRegistration known)
    {
        if (known.InHour >= SignalNames.UsersInHour)
            yield return SignalNames.NetworkHour;
        if (known.InDay >= SignalNames.UsersInDay)
            yield return SignalNames.NetworkDay;
    }

    [LoggerMessage(EventId = 1063, Level = LogLevel.Warning,
        Message = "The signals of {Count} users cannot be read and count nothing: {Reason}")]
    private partial void LogUnreadable(int count, string reason);
}
