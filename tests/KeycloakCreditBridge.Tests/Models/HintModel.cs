using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Tests.Provisioning;

namespace KeycloakCreditBridge.Tests.Models;

/// <param name="Version">0 where the database has given a new one.</param>
internal sealed record HintRow(
    string Kind, int Attempts, string State, DateTimeOffset DueAt, DateTimeOffset HintedAt, long Version = 0);

/// <summary>What `user_hints` must be, and two replicas that change it.</summary>
internal sealed class HintModel(AccountFixture fixture, SessionCuts cuts)
{
    private const int Users = 5;

    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Recheck = TimeSpan.FromSeconds(40);

    private readonly HintStore _store = new(fixture.Database.DataSource);
    private readonly Dictionary<string, DateTimeOffset> _read = new(StringComparer.Ordinal);
    private readonly List<ClaimedHint>[] _held = [[], []];
    private readonly ManualTimeProvider _clock = new(AccountFixture.Start);
    private long _newest;
    private SortedDictionary<string, HintRow> _rows = new(StringComparer.Ordinal);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private DateTimeOffset Now => _clock.GetUtcNow();

    public async Task StepAsync(int kind, int replica, int choice, bool cut)
    {
        _clock.Advance(TimeSpan.FromSeconds(1));
        var user = $"user-{choice % Users}";
        await (kind switch
        {
            < 6 => HintAsync(user, (HintKind)(choice % 3), cut),
            < 10 => ClaimAsync(replica, 1 + (choice % 3), cut),
            < 13 => CompleteAsync(replica, choice, cut),
            < 16 => PostponeAsync(replica, choice, cut),
            16 => ChangeAsync(
                cut, () => List.RetryAsync(AccountFixture.Realm, [user], false, Token),
                (name, row) => name == user ? row with { Version = 0, DueAt = Now, Attempts = 0, State = "waiting" } : row),
            17 => ChangeAsync(
                cut, () => List.DropAsync(AccountFixture.Realm, [user], Token), (name, row) => name == user ? null : row),
            _ => PauseAsync(replica, isKilled: kind == 18),
        });
    }

    /// <summary>Has all that waits completed.</summary>
    public async Task DrainAsync()
    {
        for (var rounds = 0; _rows.Values.Any(row => row.State == "waiting"); rounds++)
        {
            Assert.InRange(rounds, 0, 2 * Users);
            await PauseAsync(0, isKilled: true);
            await ClaimAsync(0, Users, cut: false);
            while (_held[0].Count > 0)
                await CompleteAsync(0, 0, cut: false);
        }
    }

    private HintListStore List => new(fixture.Database.DataSource, _clock);

    private async Task HintAsync(string user, HintKind kind, bool cut)
    {
        var text = kind.ToString().ToLowerInvariant();
        var isKnown = kind == HintKind.Seen && _read.TryGetValue(user, out var read) && read > Now - Recheck;
        var hint = new UserHint(AccountFixture.Realm, user, kind, "X", HintSources.Webhook);
        var isNew = !_rows.ContainsKey(user);
        await ChangeAsync(
            cut, () => _store.AddAsync([hint], Now, Now - Recheck, null, Token),
            (name, row) => name != user || isKnown ? row : Renewed(row, text),
            isNew && !isKnown ? (user, new HintRow(text, 0, "waiting", Now, Now)) : null);
    }

    // A login neither hides what came before, nor starts its attempts anew.
    private HintRow Renewed(HintRow row, string kind)
    {
        var stays = kind == "seen" && row.State == "waiting";
        return new HintRow(
            kind == "seen" ? row.Kind : kind, stays ? row.Attempts : 0, "waiting", Now, stays ? row.HintedAt : Now);
    }

    private async Task ClaimAsync(int replica, int limit, bool cut)
    {
        IReadOnlyList<ClaimedHint>? claimed = null;
        await cuts.TryAsync(
            cut, async () => claimed = await _store.ClaimAsync(limit, Now, Now + Lease, [AccountFixture.Realm], Token));
        await SettleAsync(cut);
        var actual = await ReadAsync();
        var taken = actual.Where(row => _rows[row.Key].Version != row.Value.Version).Select(row => row.Key).ToArray();
        var due = _rows.Where(row => row.Value.State == "waiting" && row.Value.DueAt <= Now).OrderBy(row => row.Value.DueAt).ToArray();
        if (claimed is not null || taken.Length > 0)
        {
            // Of those that are due at one time any may be taken.
            Assert.Equal(Math.Min(limit, due.Length), taken.Length);
            Assert.Equal(
                due.Take(taken.Length).Select(row => row.Value.DueAt), taken.Select(name => _rows[name].DueAt).Order());
        }

        foreach (var name in taken)
            _rows[name] = _rows[name] with { Version = 0, DueAt = Now + Lease, Attempts = _rows[name].Attempts + 1 };
        Compare(actual);
        if (claimed is null)
            return;
        Assert.Equal(
            taken.Select(name => (name, _rows[name].Version, _rows[name].Attempts)),
            claimed.Select(hint => (hint.KeycloakId, hint.Version, hint.Attempts)).Order());
        _held[replica].AddRange(claimed);
    }

    private async Task CompleteAsync(int replica, int choice, bool cut)
    {
        if (Take(replica, choice) is not { } hint)
            return;
        var state = fixture.Evaluate(AccountFixture.User(hint.KeycloakId), Now) with { HintVersion = hint.Version };
        await ChangeAsync(
            cut, () => fixture.ConvergeAsync(state),
            (name, row) => name == hint.KeycloakId && (row.Version == hint.Version || (row.State == "dead" && row.HintedAt <= Now))
                ? null : row);
        foreach (var (user, at) in await fixture.Database.QueryAsync<(string, DateTime)>(
            "select keycloak_id, checked_at from keycloak_users"))
        {
            _read[user] = at;
        }

    }

    private async Task PostponeAsync(int replica, int choice, bool cut)
    {
        if (Take(replica, choice) is not { } hint)
            return;
        var (dueAt, isDead) = (Now.AddSeconds(choice % 15), choice % 4 == 0);
        await ChangeAsync(
            cut, () => _store.PostponeAsync([new PostponedHint(hint, dueAt, hint.Attempts, isDead, "x")], Token),
            (name, row) => name == hint.KeycloakId && row.Version == hint.Version
                ? row with { DueAt = dueAt, Attempts = hint.Attempts, State = isDead ? "dead" : "waiting" }
                : row);
    }

    private Task PauseAsync(int replica, bool isKilled)
    {
        if (isKilled)
            _held[replica].Clear();
        _clock.Advance(Lease);
        return Task.CompletedTask;
    }

    // Some hold a hint on although they are done with it, as one does that repeats what it does not know the outcome of.
    private ClaimedHint? Take(int replica, int choice)
    {
        if (_held[replica].Count == 0)
            return null;
        var at = choice % _held[replica].Count;
        var hint = _held[replica][at];
        if (choice % 3 == 0)
            _held[replica].RemoveAt(at);
        return hint;
    }

    // Where the session was cut, the table is as it was or as it would be, and the model goes on from what it is.
    private async Task ChangeAsync(
        bool cut, Func<Task> work, Func<string, HintRow, HintRow?> change, (string User, HintRow Row)? added = null)
    {
        var isKnown = await cuts.TryAsync(cut, work);
        await SettleAsync(cut);
        var actual = await ReadAsync();
        if (!isKnown && actual.SequenceEqual(_rows))
            return;
        _rows = new(
            _rows.Select(row => (row.Key, Row: change(row.Key, row.Value))).Where(row => row.Row is not null)
                .ToDictionary(row => row.Key, row => row.Row!),
            StringComparer.Ordinal);
        if (added is { } one)
            _rows.Add(one.User, one.Row);
        Compare(actual);
    }

    private void Compare(SortedDictionary<string, HintRow> actual)
    {
        Assert.Equal(_rows.Keys, actual.Keys);
        foreach (var (user, row) in actual)
        {
            var expected = _rows[user];
            Assert.Equal(expected with { Version = row.Version }, row);
            Assert.True(
                expected.Version == 0 ? row.Version > _newest : row.Version == expected.Version,
                $"The version of {user} is {row.Version}, after {expected.Version}.");
        }

        _rows = actual;
        _newest = Math.Max(_newest, actual.Values.Max(row => (long?)row.Version) ?? 0);
    }

    private Task SettleAsync(bool cut) => cut ? cuts.SettleAsync() : Task.CompletedTask;

    private async Task<SortedDictionary<string, HintRow>> ReadAsync() => new(
        (await fixture.Database.QueryAsync<(string, string, int, string, DateTime, DateTime, long)>(
            "select keycloak_id, kind, attempts, state, due_at, hinted_at, version from user_hints"))
        .ToDictionary(
            row => row.Item1, row => new HintRow(row.Item2, row.Item3, row.Item4, row.Item5, row.Item6, row.Item7)),
        StringComparer.Ordinal);
}
