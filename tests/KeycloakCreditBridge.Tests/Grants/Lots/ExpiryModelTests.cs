using CsCheck;

namespace KeycloakCreditBridge.Tests.Grants.Lots;

public sealed class ExpiryModelTests
{
    public static TheoryData<string> Vectors => ExpiryVector.Names;

    [Theory]
    [MemberData(nameof(Vectors))]
    public void The_model_gives_the_outcome_of_each_recorded_case(string name)
    {
        var vector = ExpiryVector.Named(name);
        var account = ExpiryModel.Run(vector.Rows, vector.Until);
        Assert.Equal((vector.Balance, vector.Debt), (account.Balance, account.Debt));
        Assert.Equal(vector.BookedOut, account.BookedOut);
        Assert.Equal(vector.Lots.OrderBy(lot => lot.Key), account.Lots.OrderBy(lot => lot.Key));
    }

    [Fact]
    public void The_balance_of_the_model_is_what_its_lots_have_less_the_debt_after_every_row() =>
        Walk.Rows(30).Sample(rows => { ExpiryModel.Run(rows, rows[^1].At + 20).Check(); }, iter: 3_000);
}
