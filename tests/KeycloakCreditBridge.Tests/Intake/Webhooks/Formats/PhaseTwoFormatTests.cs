using System.Text;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Intake.Webhooks.Formats;
using KeycloakCreditBridge.Keycloak.Events;

namespace KeycloakCreditBridge.Tests.Intake.Webhooks.Formats;

public sealed class PhaseTwoFormatTests
{
    [Fact]
    public void A_user_event_is_read_with_its_user() =>
        Assert.Equal(
            new Delivery("demo", new UserEvent(Type: "REGISTER", UserId: "u1"), null),
            PhaseTwoFormat.Read(Encoding.UTF8.GetBytes(Deliveries.UserEvent("u1"))));

    [Fact]
    public void An_admin_event_is_read_without_the_administrator_who_acted() =>
        Assert.Equal(
            new Delivery("demo", null, new AdminEvent(OperationType: "CREATE", ResourceType: "GROUP_MEMBERSHIP", ResourcePath: "users/u1")),
            Read(
                """{"type":"admin.GROUP_MEMBERSHIP-CREATE","realmName":"demo","resourcePath":"users/u1","""
                + """ "authDetails":{"userId":"admin"}}"""));

    [Theory]
    [InlineData("""{"type":"system.STARTED"}""")]
    [InlineData("""{"type":"custom"}""")]
    [InlineData("""{"type":"accessible"}""")]
    public void Events_of_other_types_are_ignored(string body) => Assert.Equal(new Delivery(null, null, null), Read(body));

    [Theory]
    [InlineData("")]
    [InlineData("not json")]
    [InlineData("{\"type\":\"access.REGISTER\"")]
    [InlineData("{\"type\":\"access.REGISTER\"} {}")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("\"access.REGISTER\"")]
    [InlineData("17")]
    [InlineData("{}", "'type'")]
    [InlineData("{\"type\":null}", "'type'")]
    [InlineData("{\"type\":\"\"}", "'type'")]
    [InlineData("{\"type\":7}", "$.type")]
    [InlineData("{\"type\":\"access.\\u0000\"}", "'type'")]
    [InlineData("{\"type\":\"access.LOGIN\",\"authDetails\":{\"userId\":[1]}}", "$.authDetails.userId")]
    [InlineData("{\"type\":\"access.LOGIN\",\"authDetails\":{\"userId\":\"\\ud800\"}}", "$.authDetails.userId")]
    [InlineData("{\"type\":\"access.LOGIN\",\"authDetails\":\"me\"}", "$.authDetails")]
    public void A_malformed_body_is_named(string body, string named = "body")
    {
        var malformed = Assert.Throws<MalformedDeliveryException>(() => Read(body));
        Assert.Contains(named, malformed.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', malformed.Message);
    }

    [Fact]
    public void Bytes_that_are_not_UTF_8_and_endless_nesting_are_malformed()
    {
        Assert.Throws<MalformedDeliveryException>(
            () => PhaseTwoFormat.Read([.. "{\"type\":\"access.LOGIN\",\"authDetails\":{\"userId\":\""u8, 0xC3, 0x28, .. "\"}}"u8]));
        Assert.Throws<MalformedDeliveryException>(() => Read($$"""{"type":"access.LOGIN","details":{{new string('[', 100_000)}}"""));
    }

    [Fact]
    public void The_recorded_deliveries_name_exactly_the_users_of_their_realm()
    {
        var hints = Deliveries.Recorded()
            .Select(sent => PhaseTwoFormat.Read(sent.Body).HintFor("demo")).OfType<UserHint>().ToList();
        Assert.Equal(
            ["Changed 17", "Deleted 2", "Seen 12"],
            hints.GroupBy(hint => hint.Kind).OrderBy(group => group.Key).Select(group => $"{group.Key} {group.Count()}"));
        Assert.DoesNotContain(
            hints, hint => hint.UserId is "62b179cb-17cc-4918-9368-3d2474f74ff7" or "7e2ed10b-5b92-4d01-9ea1-827b9ed50953");
    }

    private static Delivery Read(string body) => PhaseTwoFormat.Read(Encoding.UTF8.GetBytes(body));
}
