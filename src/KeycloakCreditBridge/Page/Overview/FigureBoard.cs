using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Page.Overview;

/// <summary>The figures of the overview, at most ten seconds old. Viewers share one reading of the database.</summary>
internal sealed class FigureBoard(OverviewStore store, IOptions<KeycloakOptions> keycloak, TimeProvider clock)
{
    private static readonly TimeSpan GoodFor = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private Task<Figures>? _reading;
    private DateTimeOffset _begun;

    public async Task<Figures> LookAsync(CancellationToken cancellationToken)
    {
        Task<Figures> reading;
        lock (_gate)
        {
            var now = clock.GetUtcNow();
            if (_reading is null or { IsFaulted: true } || now - _begun >= GoodFor)
                (_reading, _begun) = (Task.Run(ReadAsync, CancellationToken.None), now);
            reading = _reading;
        }

        return await reading.WaitAsync(cancellationToken);
    }

    private async Task<Figures> ReadAsync()
    {
        string[] realms = [.. keycloak.Value.Realms.Select(realm => realm.Name)];
        return new Figures(
            await store.StandAsync(realms, CancellationToken.None),
            await store.DayAsync(realms, clock.GetUtcNow(), CancellationToken.None));
    }
}

internal sealed record Figures(IReadOnlyList<RealmStand> Realms, DayFigures Day);
