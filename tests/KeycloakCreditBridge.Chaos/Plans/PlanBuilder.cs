using System.Diagnostics.CodeAnalysis;

namespace KeycloakCreditBridge.Chaos.Plans;

/// <summary>Makes a plan from a seed.</summary>
/// <param name="seed">Decides all.</param>
/// <param name="duration">How long the work lasts.</param>
/// <param name="registrations">How many users register.</param>
/// <param name="faults">How many faults are injected.</param>
/// <param name="only">The kinds of these faults; empty for all kinds.</param>
/// <param name="isEmulated">Whether forms and logins cost nothing.</param>
[SuppressMessage("Security", "CA5394", Justification = "A seed has to make the same plan each time.")]
internal sealed class PlanBuilder(
    int seed, TimeSpan duration, int registrations, int faults, IReadOnlyCollection<FaultKind> only, bool isEmulated)
{
    private const int StepsPerUser = 5;
    private const int LargestImport = 5;

    private static readonly (StepKind Kind, int Weight)[] Work =
    [
        (StepKind.Read, 34), (StepKind.Deduct, 22), (StepKind.Allocate, 9), (StepKind.Track, 7), (StepKind.Refund, 4),
        (StepKind.Adjust, 3), (StepKind.Meter, 9), (StepKind.EndGrant, 2), (StepKind.VoidGrant, 2), (StepKind.SwitchTier, 2),
        (StepKind.ChangeProfile, 2), (StepKind.Disable, 2), (StepKind.Enable, 1), (StepKind.Delete, 1),
        (StepKind.Redeem, 7), (StepKind.Refer, 5), (StepKind.EndPeriod, 6),
    ];

    private static readonly (FaultKind Kind, int Weight)[] Shaken =
    [
        (FaultKind.Kill, 4), (FaultKind.Suspend, 6), (FaultKind.Terminate, 3), (FaultKind.DatabaseCrash, 2), (FaultKind.SessionsCut, 8),
        (FaultKind.AnswerCut, 14), (FaultKind.DatabaseHalfOpen, 3), (FaultKind.CallersCut, 6), (FaultKind.KeycloakError, 9),
        (FaultKind.KeycloakThrottle, 5), (FaultKind.KeycloakHang, 4), (FaultKind.KeycloakTruncated, 9), (FaultKind.KeycloakSlow, 5),
        (FaultKind.EventsWiped, 2), (FaultKind.WebhookLost, 6), (FaultKind.WebhookDoubled, 5), (FaultKind.WebhookDelayed, 3),
        (FaultKind.WebhookReplayed, 3), (FaultKind.WebhookReordered, 3), (FaultKind.SinkRefused, 4),
        (FaultKind.SinkAnswerLost, 4),
    ];

    private readonly Random _random = new(seed);

    public Plan Build()
    {
        List<Step> steps = [];
        AddRegistrations(steps);
        AddWork(steps);
        AddBackfills(steps);
        return new Plan(
            seed, duration, registrations, [.. steps.OrderBy(step => step.At).ThenBy(step => step.Number)],
            [.. Faults().OrderBy(fault => fault.At).ThenBy(fault => fault.Number)]);
    }

    private void AddRegistrations(List<Step> steps)
    {
        for (var user = 0; user < registrations;)
        {
            // A real server takes a tenth of a second for each password.
            var kind = _random.Next(100) switch
            {
                < 20 when isEmulated => StepKind.RegisterByForm,
                < 30 when isEmulated => StepKind.RegisterByBroker,
                < 5 => StepKind.RegisterByForm,
                < 60 => StepKind.RegisterByApi,
                _ => StepKind.RegisterByImport,
            };
            var count = kind == StepKind.RegisterByImport ? Math.Min(1 + _random.Next(LargestImport), registrations - user) : 1;
            steps.Add(New(steps, duration * (0.85 * user / registrations), kind, user) with { Count = count });
            user += count;
        }
    }

    private void AddWork(List<Step> steps)
    {
        for (var number = 0; number < registrations * StepsPerUser; number++)
        {
            var share = _random.NextDouble();
            // Recent users see most of the work, as their accounts have most to go wrong.
            var known = Math.Max(1, (int)(Math.Min(1, share / 0.85) * registrations));
            var user = _random.Next(3) == 0 ? _random.Next(known) : known - 1 - _random.Next(Math.Min(known, 50));
            steps.Add(New(steps, duration * share, Choose(Work), user));
        }
    }

    private void AddBackfills(List<Step> steps)
    {
        for (var at = TimeSpan.FromSeconds(10); at < duration; at += TimeSpan.FromSeconds(20 + _random.Next(20)))
            steps.Add(New(steps, at, StepKind.Backfill, 0));
        for (var at = TimeSpan.FromSeconds(2); at < duration; at += TimeSpan.FromSeconds(3 + _random.Next(5)))
            steps.Add(New(steps, at, StepKind.Campaign, 0));
    }

    private IEnumerable<PlannedFault> Faults()
    {
        var wanted = Shaken.Where(shaken => only.Count == 0 || only.Contains(shaken.Kind)).ToArray();
        for (var number = 0; number < faults; number++)
        {
            var kind = Choose(wanted);
            yield return new PlannedFault(
                number, duration * (0.05 + (0.95 * _random.NextDouble())), kind, _random.Next(2), TimeSpan.FromMilliseconds(kind switch
                {
                    FaultKind.Suspend => 1_500 + _random.Next(6_000),
                    FaultKind.DatabaseHalfOpen => 1_000 + _random.Next(4_000),
                    FaultKind.KeycloakSlow => 500 + _random.Next(2_000),
                    _ => 100 + _random.Next(2_000),
                }),
                1 + _random.Next(6));
        }
    }

    private Step New(List<Step> steps, TimeSpan at, StepKind kind, int user) => new(
        steps.Count, at, kind, user, _random.Next(2), (1 + _random.Next(400)) / 1000m, _random.Next(1_000), 1, _random.Next(10) > 0);

    private T Choose<T>((T Kind, int Weight)[] kinds)
    {
        var number = _random.Next(kinds.Sum(kind => kind.Weight));
        foreach (var (kind, weight) in kinds)
        {
            number -= weight;
            if (number < 0)
                return kind;
        }

        return kinds[^1].Kind;
    }
}
