namespace KeycloakCreditBridge.Benchmarks.Measurement;

/// <summary>Seconds of a core that PostgreSQL and the bridge used. Other load on the machine changes them less than rates.</summary>
internal sealed record Spent(double Postgres, double Bridge)
{
    /// <summary>What both used up to now.</summary>
    public static Spent Now(ProcessorTime server) => new(server.Postgres, Environment.CpuUsage.TotalTime.TotalSeconds);

    /// <summary>What each user cost since an earlier moment, in words.</summary>
    public string For(int users, Spent since)
    {
        var (postgres, bridge) = ((Postgres - since.Postgres) / users * 1e6, (Bridge - since.Bridge) / users * 1e6);
        return FormattableString.Invariant($"{postgres:0} µs of PostgreSQL and {bridge:0} µs of the bridge a user");
    }
}
