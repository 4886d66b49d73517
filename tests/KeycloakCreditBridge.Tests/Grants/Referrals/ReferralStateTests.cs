using KeycloakCreditBridge.Grants.Referrals;

namespace KeycloakCreditBridge.Tests.Grants.Referrals;

/// <summary>Which state of a referral may follow which.</summary>
public sealed class ReferralStateTests
{
    // A row for each state, a column for each one that may follow, in the order of the states: x where it may.
    private const string Table =
        """
        touched  .x..xx.xx.
        pending  ..x...xx..
        earned   ...x.xxx..
        paid     .........x
        refused  ..........
        capped   .......x.x
        held     .x.....x..
        canceled .....xx...
        expired  ..........
        reversed ..........
        """;

    public static TheoryData<string, string, bool> Pairs
    {
        get
        {
            var pairs = new TheoryData<string, string, bool>();
            var states = Enum.GetValues<ReferralState>();
            var rows = Table.Split('\n').Select(row => row.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToList();
            foreach (var row in rows)
                foreach (var to in states)
                    pairs.Add(row[0], ReferralMoves.Name(to), row[1].Trim()[(int)to] == 'x');
            return pairs;
        }
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Each_pair_of_states_is_allowed_or_an_error(string from, string to, bool isAllowed)
    {
        var (first, second) = (ReferralMoves.Parse(from), ReferralMoves.Parse(to));
        Assert.Equal(isAllowed, ReferralMoves.IsAllowed(first, second));
        if (isAllowed)
            ReferralMoves.Check(first, second);
        else
            Assert.Contains($"{from} cannot become {to}", Assert.Throws<InvalidOperationException>(
                () => ReferralMoves.Check(first, second)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_table_has_each_state_once() =>
        Assert.Equal(Enum.GetValues<ReferralState>().Length * Enum.GetValues<ReferralState>().Length, Pairs.Count);
}
